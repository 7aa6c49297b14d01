import { render } from 'preact';
import { painter } from './context.ts';
import { followHistory } from './navigation.ts';
import { App } from './shell/app.tsx';
import { followKeyboard } from './shell/keyboard.ts';
import { followTheme } from './shell/theme.ts';
import 'uplot/dist/uPlot.min.css';
import './style/base.css';
import './style/shell.css';
import './style/wall.css';
import './style/pages.css';
import './style/frame.css';

declare global {
  interface Window {
    /** For whoever measures this page. */
    halfsight: { readonly drawn: number };
  }
}

followTheme();
followHistory();
followKeyboard();
window.halfsight = {
  get drawn() {
    return painter.drawn;
  },
};
const root = document.getElementById('app');
if (root !== null) render(<App />, root);

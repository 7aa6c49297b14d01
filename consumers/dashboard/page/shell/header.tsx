import { store } from '../context.ts';
import { route } from '../navigation.ts';
import { lagText } from '../notices.ts';
import { FLEET, WALL } from '../route.ts';
import { countText, decimalText, durationText } from '../text.ts';
import { keysShown } from './keyboard.ts';
import { Link } from './link.tsx';
import { switchTheme, theme } from './theme.ts';

export function Header() {
  const { page } = route.value;
  const current = (isHere: boolean) => (isHere ? ({ 'aria-current': 'page' } as const) : {});
  return (
    <header class="header">
      <Link href={WALL} class="brand">
        Halfsight
      </Link>
      <nav aria-label="Pages">
        <Link href={WALL} {...current(page === 'wall')}>
          Wall
        </Link>
        <Link href={FLEET} {...current(page === 'fleet')}>
          Fleet
        </Link>
      </nav>
      <Figures />
      <div class="header-buttons">
        <button type="button" class="button quiet" onClick={switchTheme}>
          {theme.value === 'dark' ? 'Light' : 'Dark'}
        </button>
        <button
          type="button"
          class="button quiet"
          aria-label="Keys"
          onClick={() => {
            keysShown.value = true;
          }}
        >
          ?
        </button>
      </div>
    </header>
  );
}

/** How the whole fleet is, on every page. */
function Figures() {
  const fleet = store.fleet.value;
  if (fleet === undefined) return <div class="figures" />;
  const { online = 0 } = fleet.cameras.byState;
  const results = Object.values(fleet.resultsPerSecond).reduce((sum, rate) => sum + rate, 0);
  const isStale = store.link.value.state === 'lost';
  return (
    <dl class="figures" data-stale={isStale}>
      <Figure name="online" value={`${countText(online)} / ${countText(fleet.cameras.shown)}`} />
      <Figure name="frames/s" value={decimalText(fleet.framesPerSecond)} />
      <Figure name="results/s" value={decimalText(results)} />
      <Figure name="KB/frame" value={decimalText(fleet.kilobytesPerFrame)} />
      <Figure name="age p50" value={durationText(fleet.ageMs?.p50)} />
      <Figure name="p95" value={durationText(fleet.ageMs?.p95)} />
      <Figure name="lag" value={lagText(fleet.lag)} />
    </dl>
  );
}

function Figure({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

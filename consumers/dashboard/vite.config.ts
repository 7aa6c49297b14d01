import { join } from 'node:path';
import { defineConfig } from 'vite';

/**
 * Builds the wall's page; `infra/ensure.mjs` says where to and when. Nothing is put into the HTML
 * or into other files as data, and no script says where modules are: the server allows neither.
 */
export default defineConfig({
  root: join(import.meta.dirname, 'page'),
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    emptyOutDir: true,
  },
});

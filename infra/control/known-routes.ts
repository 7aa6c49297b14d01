import type { App } from './app.ts';
import { Problem } from './problem.ts';

interface KnownRoute {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** Tells a path that is nowhere from one that is there for other methods. */
export class KnownRoutes {
  readonly #byUrl = new Map<string, KnownRoute>();

  /** Before there are any: it watches them as they are added. */
  constructor(app: App) {
    app.addHook('onRoute', ({ url, method }) => {
      const pattern = new RegExp(`^${url.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}$`);
      const route = this.#byUrl.get(url) ?? { pattern, methods: new Set() };
      for (const one of [method].flat()) route.methods.add(one);
      this.#byUrl.set(url, route);
    });
  }

  problemOf(url: string, method: string): Problem {
    const [path = ''] = url.split('?');
    const found = [...this.#byUrl.values()].find(({ pattern }) => pattern.test(path));
    const shown = path.slice(0, 200);
    if (found === undefined) {
      return new Problem('route-missing', `there is no ${shown} here.`, {
        advice: 'GET /openapi.json lists what there is.',
      });
    }
    const allow = [...found.methods].join(', ');
    return new Problem('method-refused', `${shown} takes no ${method}.`, {
      advice: `It takes ${allow}.`,
      headers: { allow },
    });
  }
}

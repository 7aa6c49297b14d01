import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { Refusal } from './refusal.ts';

/** Vite puts a hash of what is in a file into its name. */
const HASHED = /[/\\]assets[/\\][^/\\]+-[\w-]{8,}\.\w+$/;

/** The page as it was built, from its folder. */
export async function pageRoutes(app: FastifyInstance, folder: string): Promise<void> {
  await app.register(fastifyStatic, {
    root: folder,
    // It may be built after this server has started.
    suppressWarning: true,
    cacheControl: false,
    setHeaders: (reply, path) => {
      const isHashed = HASHED.test(path);
      void reply.header('cache-control', isHashed ? 'max-age=31536000, immutable' : 'no-cache');
    },
  });
  app.setNotFoundHandler(async ({ method, url, headers }, reply) => {
    const isPage = method === 'GET' && headers.accept?.includes('text/html') === true;
    const isOurs = /^\/(api|v1|assets)\//.test(url);
    if (isPage && !isOurs && existsSync(join(folder, 'index.html'))) {
      // What the address means, the page knows.
      return reply.sendFile('index.html');
    }
    if (isPage && !isOurs) {
      const advice = 'Build it with: node infra/ensure.mjs wall. The server may go on meanwhile.';
      throw new Refusal('page-missing', 'the page of the wall is not built.', advice);
    }
    throw new Refusal('route-missing', `${method} ${url} is nothing here.`, 'Open / in a browser.');
  });
}

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { GOLDEN_FILES } from './golden-integers.ts';

/**
 * The codec in a browser, without a bundler: a server hands out the very source files, their types
 * stripped as Node strips them, and an import map says where `#codec/` is.
 */
const ROOT = join(import.meta.dirname, '..', '..');
const TIMEOUT_MS = 120_000;

const PAGE = `<!doctype html>
<title>codec</title>
<script type="importmap">
{"imports": {
  "#codec/": "/codec/",
  "#runtime/": "/runtime/",
  "@noble/hashes/": "/node_modules/@noble/hashes/"
}}
</script>
<pre id="out">nothing</pre>
<script type="module">
import { goldenIntegers } from '/test/platforms/golden-integers.ts';
const out = document.getElementById('out');
try {
  const files = ${JSON.stringify(GOLDEN_FILES)};
  const read = (file) => {
    const request = new XMLHttpRequest();
    request.open('GET', '/test/golden/' + file, false);
    request.send();
    return [file, request.responseText];
  };
  const digests = goldenIntegers(Object.fromEntries(files.map(read)));
  const platform = navigator.userAgent.match(/HeadlessChrome\\S*|Chrome\\S*/)[0];
  out.textContent = JSON.stringify({ platform, digests });
} catch (error) {
  out.textContent = JSON.stringify({ error: String(error.stack ?? error) });
}
</script>`;

function serve(): Promise<Server> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    try {
      if (path === '/') {
        response.setHeader('content-type', 'text/html').end(PAGE);
        return;
      }
      const text = readFileSync(join(ROOT, path), 'utf8');
      const isScript = /\.(ts|js)$/.test(path);
      response.setHeader('content-type', isScript ? 'text/javascript' : 'application/json');
      response.end(path.endsWith('.ts') ? stripTypeScriptTypes(text) : text);
    } catch (error) {
      response.writeHead(404).end(String(error));
    }
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

/** What a headless Chromium decodes the golden streams to, as on-node.ts prints it. */
export async function decodeInChromium(program: string): Promise<string> {
  const server = await serve();
  const profile = await mkdtemp(join(tmpdir(), 'halfsight-chromium-'));
  try {
    const { port } = server.address() as AddressInfo;
    const { stdout } = await promisify(execFile)(
      program,
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        `--user-data-dir=${profile}`,
        '--dump-dom',
        `http://127.0.0.1:${port}/`,
      ],
      { timeout: TIMEOUT_MS, maxBuffer: 1024 * 1024 },
    );
    return /<pre id="out">(.*?)<\/pre>/s.exec(stdout)?.[1]?.replaceAll('&quot;', '"') ?? stdout;
  } finally {
    server.close();
    server.closeAllConnections();
    await rm(profile, { recursive: true, force: true });
  }
}

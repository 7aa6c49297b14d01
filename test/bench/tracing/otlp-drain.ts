import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface OtlpDrain {
  readonly url: string;
  /** Of all requests so far. */
  bytes(): number;
  close(): void;
}

/** A collector that takes everything and looks at nothing. */
export async function startOtlpDrain(): Promise<OtlpDrain> {
  let bytes = 0;
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => response.writeHead(200).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    bytes: () => bytes,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

import { CommandLine, FLAG } from '#runtime/command-line.ts';

export const WALL_USAGE = `\
Usage: npx halfsight wall

Serves a page that shows every camera as it is analysed: what was found in each frame, how old it
is, how far consumers are behind, and what is wrong. Open the address that it prints in a browser.

  --help

  HALFSIGHT_WALL_LISTEN      host:port, 127.0.0.1:8470 unless given
  HALFSIGHT_WALL_TOKEN_FILE  a file with a token, or NAME:TOKEN, a line; who opens the page is asked
                             for one of them. Without tokens it serves this machine only, and
                             everybody on it. HALFSIGHT_WALL_TOKEN is the same without a file
  KAFKA_BROKERS, KAFKA_TOPIC_PREFIX, KAFKA_GROUP_ID
                             which installation is meant, and whose lag is told; without brokers it
                             waits for the Kafka that \`npm start\` brings
  REDIS_URL                  for the jobs on the fleet page
  HALFSIGHT_BUNDLE           whose tables decode a frame that is looked at

\`npm start\` brings a wall with it. Programs of this machine may send spans to it as OTLP/HTTP:
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:8470/v1/traces
OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json
Everything goes over plain HTTP: elsewhere than on this machine put it behind a proxy with TLS.
`;

const line = new CommandLine('See npx halfsight wall --help.');

/** Without arguments it serves. Throws `usage-invalid`. */
export function readWallArguments(args: readonly string[]): 'serve' | 'help' {
  return line.readOptions(args, { help: FLAG }).help ? 'help' : 'serve';
}

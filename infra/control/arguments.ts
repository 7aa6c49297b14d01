import { CommandLine, FLAG } from '#runtime/command-line.ts';
import { LIMITS } from '#runtime/limits.ts';

const RATE = `${LIMITS.controlRequestsMax} requests in ${LIMITS.controlRateWindowMs / 1000} s`;

export const CONTROL_USAGE = `\
Usage: npx halfsight control [--openapi]

Serves the cameras, jobs, heads and dead letters of one installation over HTTP, for programs. What
there is, GET /openapi.json says.

  --openapi  prints the OpenAPI document, and serves nothing
  --help

  HALFSIGHT_CONTROL_LISTEN      host:port, 127.0.0.1:8480 unless given
  HALFSIGHT_CONTROL_TOKEN_FILE  a file with a token, or NAME:TOKEN, a line; requests bear one of
                                them as "Authorization: Bearer TOKEN", and the audit log has its
                                NAME. Without tokens it serves this machine only, and everybody on
                                it. HALFSIGHT_CONTROL_TOKEN is the same without a file
  REDIS_URL, KAFKA_TOPIC_PREFIX which installation is meant; KAFKA_BROKERS for dead letters,
                                HALFSIGHT_HEADS_DIRECTORY and HALFSIGHT_BUNDLE for heads

A client may send ${RATE}. /live and /ready need no token.
Everything goes over plain HTTP: elsewhere than on this machine put it behind a proxy with TLS,
whose clients then count as one.
`;

const line = new CommandLine('See npx halfsight control --help.');

export type ControlCommand = 'openapi' | 'help';

/** Without arguments it serves. Throws `usage-invalid`. */
export function readControlArguments(args: readonly string[]): ControlCommand {
  return line.readOptions(args, { openapi: FLAG, help: FLAG }).help ? 'help' : 'openapi';
}

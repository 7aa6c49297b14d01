import { readEnvironment } from '#runtime/settings.ts';

/** What a container engine asks: exit code 0 where the process answers that it is alive. */
const { healthListen } = readEnvironment();
const port = healthListen?.port;
const answer = await fetch(`http://127.0.0.1:${port}/live`).catch(() => undefined);
process.exit(answer?.ok ? 0 : 1);

import { parentPort } from 'node:worker_threads';
import { defined } from '#runtime/assert.ts';
import { createSource } from './create.ts';
import { SourceHost } from './source-host.ts';

/** The thread that the sources run in. */
new SourceHost(defined(parentPort, 'the port to the main thread'), createSource);

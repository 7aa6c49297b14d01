import { LIMITS } from '#runtime/limits.ts';

/** In the order in which an operator meets them. */
export const VERBS = [
  ...['add', 'set', 'list', 'show', 'remove', 'drain', 'enable', 'disable'],
] as const;
export type Verb = 'add' | 'set' | 'list' | 'show' | 'remove' | 'drain' | 'enable' | 'disable';

export const CAMERAS_USAGE = `\
Usage: npx halfsight cameras COMMAND [options]

The cameras that agents with \`fleet\` in their file share out between them. A change is with its
camera's owner within about a second; no agent is restarted.

  add      wants a new camera
  set      changes a camera
  list     how all cameras are, and who has them
  show     everything about one camera
  remove   takes cameras out of the registry
  drain    disables cameras, and waits until all that was captured is published
  enable   runs cameras again
  disable  stops cameras, and keeps them in the registry

npx halfsight cameras COMMAND --help says more. All talk to the registry directly: REDIS_URL says
where it is, and KAFKA_TOPIC_PREFIX which installation is meant. Exit code 1: it was not done; 2:
the arguments or the environment are wrong.
`;

const TELL_S = (LIMITS.fleetLiveBeats * LIMITS.fleetBeatIntervalMs) / 1000;

const SECONDS = `${LIMITS.previewSecondsMin} to ${LIMITS.previewSecondsMax}`;
const PIXELS = `${LIMITS.previewSideMin} to ${LIMITS.previewSideMax}`;

const SETTINGS = `\
  --source ADDRESS   rtsp://..., rtsps://..., a file on the agents' machines, or synthetic:<scene>.
                     \${NAME} stands for a variable of the agents' environment: write passwords so
                     (in single quotes, or the shell takes it for one of its own)
  --fps N            pictures a second, 0.1 to ${LIMITS.framesPerSecondMax}
  --rate-point NAME  of the agents' bundle, by name or number; "default": the agent's
                     It is also the finest that rate control uses; within what, these say
                     ("default" everywhere: the agents')
  --adaptive on|off  whether it gives way to a thin link and to consumers that lag behind
  --coarsest NAME    the coarsest rate point
  --fps-min N        the fewest frames a second
  --bytes-per-second N  a budget
  --bytes-per-frame N   a frame that has more is encoded again, coarser, or dropped
  --heads NAME,NAME  the heads that are wanted of its frames; "all": those of the agents' bundle.
                     Consumers do not run the others for it, and their results say "unwanted"
  --trace-ratio N    share of its frames that are traced, 0 to 1; "default": the agent's
  --preview SECONDS,PIXELS  lets pictures leave the camera: a JPEG of at most so many pixels a side
                     (${PIXELS}) every so many seconds (${SECONDS}), for the wall; "off": none
  --label KEY=VALUE  for people and programs; may be repeated
`;

const VERSION = `\
  --version N        only if the camera has this version, as show tells it
`;

const JSON_AND_HELP = `\
  --json
  --help
`;

/** What `cameras COMMAND --help` says. */
export const VERB_USAGE: Readonly<Record<Verb, string>> = {
  add: `\
Usage: npx halfsight cameras add ID --source ADDRESS [options]

Wants a new camera: an agent with room for it has it soon.

  ID                 1 to ${LIMITS.cameraIdLengthMax} letters, digits, ".", "_" or "-"

${SETTINGS}\
  --disabled         only enters it
${JSON_AND_HELP}
--fps is 5 unless given. For example:
npx halfsight cameras add gate-north --source 'rtsp://viewer:\${GATE_PASSWORD}@192.0.2.10/stream2'
`,
  set: `\
Usage: npx halfsight cameras set ID [options]

Changes what is named, and nothing else. Another source, rate or preview begins a new epoch
of the camera.

${SETTINGS}\
                     KEY= takes a label away
${VERSION}${JSON_AND_HELP}`,
  list: `\
Usage: npx halfsight cameras list [--json]

One line a camera: its state, its owner, frames a second (of those wanted), kilobytes a frame, the
age of its last frame, drops of its present epoch; and why it is not online, or has no owner. Owners
tell every ${TELL_S} s. --json: a JSON object a line.
`,
  show: `\
Usage: npx halfsight cameras show ID [--json]

Everything about one camera. A password in its source is not shown, the name of its variable is.
`,
  remove: `\
Usage: npx halfsight cameras remove ID ... [--version N]

Takes cameras out of the registry. Their owners publish what was captured, and stop.

${VERSION}  --help
`,
  drain: `\
Usage: npx halfsight cameras drain ID ... [--timeout SECONDS]

Disables cameras, and waits until their owners have published what was captured and given them
back, or have died: then nobody has the camera open. Exit code 1 if that takes longer than
--timeout, which is ${LIMITS.fleetDrainTimeoutMs / 1000} unless given. enable runs them again.
`,
  enable: `\
Usage: npx halfsight cameras enable ID ... [--version N]

Runs cameras that were disabled.

${VERSION}  --help
`,
  disable: `\
Usage: npx halfsight cameras disable ID ... [--version N]

Stops cameras, and keeps them in the registry. drain does the same, and waits.

${VERSION}  --help
`,
};

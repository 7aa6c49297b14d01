import type { BalanceReport } from '#consumers/subscriber/balance.ts';
import type { EpochBalance } from '#consumers/subscriber/epoch-ledger.ts';
import type { IncomingRecord } from '#runtime/broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type DeadLetter, decodeDeadLetter } from '#schemas/dead-letter.ts';
import { frameId } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import { decodeResult, type Result, TASKS, type Task } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import type { Cluster } from './broker/cluster.ts';
import { CLASS_OF_SYMBOL_0 } from './engine.ts';
import type { Plan } from './plan.ts';
import type { CapturedFrame, Nature, Truth } from './truth.ts';

/**
 * The laws of ARCHITECTURE.md. `inverse` has no checker here: test/unit/codec/ and `npm run fuzz`
 * try it on far more latents than a simulation could. `mistake` is no law of its own: a process
 * that dies of anything but an operating error breaks them all.
 */
export type Law =
  | 'conservation'
  | 'exactly-once'
  | 'order'
  | 'commit'
  | 'bound'
  | 'liveness'
  | 'identity'
  | 'mistake';

export interface Violation {
  readonly law: Law;
  readonly what: string;
}

/** All that a checker may look at when everything has come to its end. */
export interface Evidence {
  readonly truth: Truth;
  /** What `npm run balance` says. */
  readonly balance: BalanceReport;
  /** Result topics as a committed reader sees them. */
  readonly results: ReadonlyMap<Task, readonly Result[]>;
  readonly deadLetters: readonly DeadLetter[];
  /** Records of the frame topic. */
  readonly frames: readonly IncomingRecord[];
  /** From here on nothing went wrong any more. */
  readonly quietFromMs: number;
  /** What `livenessMsMax` allows. */
  readonly livenessMs: number;
}

export function gather(
  cluster: Cluster,
  topics: TopicTable,
  framing: Framing,
): Pick<Evidence, 'results' | 'deadLetters' | 'frames'> {
  const all = (topic: string) =>
    cluster.partitions(topic).flatMap((log) => log.read(0, Number.POSITIVE_INFINITY, true).records);
  return {
    results: new Map(
      TASKS.map((task) => [
        task,
        all(topics.results[task].name).map(({ value }) => decodeResult(task, value, framing)),
      ]),
    ),
    deadLetters: all(topics.deadLetters.name).map(({ value }) => decodeDeadLetter(value, framing)),
    frames: all(topics.frames.name),
  };
}

/** What each law has to say against the evidence. */
export function judge(evidence: Evidence): Violation[] {
  const checkers: Partial<Record<Law, (evidence: Evidence) => string[]>> = {
    conservation,
    'exactly-once': exactlyOnce,
    order,
    identity,
    liveness,
  };
  return Object.entries(checkers).flatMap(([law, check]) =>
    check(evidence).map((what) => ({ law: law as Law, what })),
  );
}

/**
 * 1. Every captured frame ends exactly once. Once by the balance that anybody can draw up from the
 * topics, and once against what was really captured, which the balance cannot know. Of an agent
 * that was killed the books may lack the end; what it published is answered all the same.
 */
function conservation({ balance, truth, frames, results, deadLetters }: Evidence): string[] {
  const really = epochsOf(truth);
  const isInterrupted = ({ cameraId, epoch }: EpochBalance) =>
    truth.killed.has(really.get(`${cameraId} ${epoch}`)?.agent ?? '');
  const problems = balance.epochs.flatMap(({ cameraId, epoch, problems: ofEpoch }) =>
    ofEpoch.map((problem) => `${cameraId}-${epoch}: ${problem}`),
  );
  if (balance.undecodable > 0) problems.push(`${balance.undecodable} records cannot be read`);
  if (balance.waiting > 0) problems.push(`${balance.waiting} frames are never answered`);
  for (const books of balance.epochs) {
    const { cameraId, epoch, state, captured } = books;
    const count = really.get(`${cameraId} ${epoch}`)?.captured ?? 0;
    const isRight = captured === count || (captured < count && isInterrupted(books));
    if (state !== 'closed' || isRight) continue;
    problems.push(`${cameraId}-${epoch}: the books have ${captured} frames of ${count}`);
  }
  problems.push(...unanswered(frames, results, deadLetters));
  problems.push(...unclosedEpochs(balance, truth));
  const unnamed = frames.filter(({ headers }) => headers['frame-id'] === undefined).length;
  const buried = deadLetters.filter((letter) => letter.frameId === null).length;
  if (unnamed !== buried) problems.push(`${unnamed} records without a name, ${buried} buried`);
  return problems;
}

/** By "camera epoch": how many frames were really captured, and by which process. */
function epochsOf(truth: Truth): ReadonlyMap<string, { captured: number; agent: string }> {
  const epochs = new Map<string, { captured: number; agent: string }>();
  for (const { identity: of, agent } of truth.frames.values()) {
    const name = `${of.cameraId} ${of.epoch}`;
    const captured = (epochs.get(name)?.captured ?? 0) + 1;
    epochs.set(name, { captured, agent });
  }
  return epochs;
}

/** Frames on the frame topic without a dead letter that some head has not answered. */
function unanswered(
  frames: Evidence['frames'],
  results: Evidence['results'],
  deadLetters: Evidence['deadLetters'],
): string[] {
  const dead = new Set(deadLetters.map((letter) => letter.frameId));
  const answered = [...results.values()].map((ofTask) => new Set(ofTask.map(frameId)));
  return frames
    .map(({ headers }) => Buffer.from(headers['frame-id'] ?? []).toString())
    .filter((id) => id !== '' && !dead.has(id) && !answered.every((ids) => ids.has(id)))
    .map((id) => `${id} was published, and is neither results nor a dead letter`);
}

/** Each camera's last epoch was drained when nothing was wrong any more: its books must be shut. */
function unclosedEpochs({ epochs }: BalanceReport, truth: Truth): string[] {
  const last = new Map([...truth.frames.values()].map(({ identity: of }) => [of.cameraId, of]));
  return [...last.values()]
    .filter(({ cameraId, epoch }) => {
      const books = epochs.find((one) => one.cameraId === cameraId && one.epoch === epoch);
      return books?.state !== 'closed';
    })
    .map(({ cameraId, epoch }) => `${cameraId}-${epoch}: drained, but its books stay open`);
}

/** 2. A read-committed reader of any task topic sees each frame once. */
function exactlyOnce({ results, deadLetters, truth }: Evidence): string[] {
  const problems: string[] = [];
  const dead = new Set<string>();
  for (const { frameId: id, originPartition, originOffset } of deadLetters) {
    const name = id ?? `${originPartition}:${originOffset}`;
    if (dead.has(name)) problems.push(`${name} is dead-lettered twice`);
    dead.add(name);
  }
  for (const [task, ofTask] of results) {
    const seen = new Set<string>();
    for (const result of ofTask) {
      const id = frameId(result);
      if (seen.has(id)) problems.push(`${id} has two results of ${task}`);
      if (dead.has(id)) problems.push(`${id} has a result of ${task} and a dead letter`);
      seen.add(id);
    }
  }
  // To user code delivery is at least once: again after a crash, but never left out.
  const delivered = new Set(truth.delivered.map(({ task, id }) => `${task} ${id}`));
  for (const [task, ofTask] of results) {
    const missed = ofTask.find((result) => !delivered.has(`${task} ${frameId(result)}`));
    if (missed !== undefined) problems.push(`no subscriber was given ${task} ${frameId(missed)}`);
  }
  return problems;
}

/**
 * 3. Results of one camera and one head appear in capture order, on the topic and to a handler.
 * Between two processes of an agent no order can be promised: what one had sent when it was killed
 * may still be on its way when the next one is well.
 */
function order({ results, truth }: Evidence): string[] {
  const problems: string[] = [];
  const newest = new Map<string, number>();
  const check = (where: string, id: string) => {
    const frame = truth.frames.get(id);
    if (frame === undefined) return;
    const line = `${where} ${frame.agent} ${frame.identity.cameraId}`;
    const before = newest.get(line) ?? -1;
    if (frame.order <= before) problems.push(`${where}: ${id} comes after a later frame`);
    newest.set(line, Math.max(before, frame.order));
  };
  for (const [task, ofTask] of results) {
    for (const result of ofTask) check(task, frameId(result));
  }
  for (const { subscriber, task, id } of truth.delivered) check(`${subscriber} ${task}`, id);
  return problems;
}

const PAUSES_MS =
  LIMITS.requestTimeoutMs + LIMITS.consumerRestartDelayMsMax + LIMITS.acquireRetryDelayMsMax * 2;

/** Why each kind of poison is refused. */
const REASONS: Readonly<Record<Exclude<Nature, 'sound'>, string>> = {
  corrupt: 'bitstream-checksum-mismatch',
  foreign: 'bitstream-tables-unknown',
  garbled: 'bitstream-malformed',
  indigestible: 'inference-failed',
};

/**
 * 8. A stream made with other tables is refused by its hash; and what a head says of a frame is
 * what that frame showed, whatever batches it was in and however often it was computed.
 */
function identity({ results, deadLetters, truth }: Evidence): string[] {
  const problems: string[] = [];
  for (const { frameId: id, reason } of deadLetters) {
    const frame = id === null ? undefined : truth.frames.get(id);
    if (frame === undefined) continue;
    // An engine that fails twice under one frame and then works is taken to have failed of it.
    const wanted = frame.nature === 'sound' ? 'inference-failed' : REASONS[frame.nature];
    if (reason !== wanted) problems.push(`${id} (${frame.nature}) is buried for ${reason}`);
  }
  for (const [task, ofTask] of results) {
    for (const result of ofTask) {
      const frame = truth.frames.get(frameId(result));
      if (frame === undefined) problems.push(`${task} ${frameId(result)} was never captured`);
      else if (!isRight(result, frame)) problems.push(`${task} ${frameId(result)} is nonsense`);
    }
  }
  return problems;
}

/** A frame that no head ran on was not looked into: only its tables and its size were checked. */
function isRight(result: Result, { nature, symbol, heads }: CapturedFrame): boolean {
  const isWanted = heads?.includes(result.task) ?? true;
  if (isWanted !== (result.status !== 'unwanted')) return false;
  if (result.status === 'shed') return nature !== 'foreign';
  if (!isWanted) return nature !== 'foreign' && countOf(result) === 0;
  if (nature !== 'sound') return false;
  if (result.task === 'segmentation') return true;
  const found = result.task === 'detection' ? result.detections : result.classifications;
  return found[0]?.classId === CLASS_OF_SYMBOL_0 + symbol;
}

function countOf(result: Result): number {
  switch (result.task) {
    case 'classification':
      return result.classifications.length;
    case 'detection':
      return result.detections.length;
    case 'segmentation':
      return result.masks.length;
  }
}

/**
 * How long after the last fault a fresh frame may take at most: the session time-out, and the
 * pauses that everybody on the way may be in the middle of. An engine that hangs is a fault until
 * its watchdog bites.
 */
export function livenessMsMax({ enginePermille }: Pick<Plan, 'enginePermille'>): number {
  const hangMs = enginePermille > 0 ? LIMITS.inferenceTimeoutMs : 0;
  return LIMITS.sessionTimeoutMs + PAUSES_MS + hangMs;
}

/** 6. After faults stop, a fresh frame of every camera reaches the subscriber in bounded time. */
function liveness({ truth, quietFromMs, livenessMs }: Evidence): string[] {
  return [...livenessWaits(truth, quietFromMs)]
    .filter(([, ms]) => ms > livenessMs)
    .map(([cameraId, ms]) => `a fresh frame of ${cameraId} took ${Math.round(ms / 1000)} s`);
}

/** By camera: from the last fault to the first fresh result of any head. */
export function livenessWaits(truth: Truth, quietFromMs: number): ReadonlyMap<string, number> {
  const waits = new Map<string, number>();
  for (const { identity: of } of truth.frames.values()) {
    waits.set(of.cameraId, Number.POSITIVE_INFINITY);
  }
  for (const { id, atMs } of truth.delivered) {
    const frame = truth.frames.get(id);
    if (frame === undefined || frame.atMs < quietFromMs) continue;
    const { cameraId } = frame.identity;
    waits.set(
      cameraId,
      Math.min(waits.get(cameraId) ?? Number.POSITIVE_INFINITY, atMs - quietFromMs),
    );
  }
  return waits;
}

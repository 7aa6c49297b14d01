import { useEffect } from 'preact/hooks';
import type { FleetAnswer, FleetMessage, JobsFigures } from '../../protocol.ts';
import { store, watched } from '../context.ts';
import { lagText } from '../notices.ts';
import { usePolled } from '../polled.ts';
import { Facts } from '../shell/facts.tsx';
import { Problem } from '../shell/problem.tsx';
import { Table } from '../shell/table.tsx';
import {
  agoText,
  countText,
  decimalText,
  durationText,
  percentText,
  SENDS_PICTURES,
} from '../text.ts';

export function FleetPage() {
  const { answer, error } = usePolled<FleetAnswer>('/api/fleet');
  useEffect(() => {
    watched.value = [];
  }, []);
  const fleet = store.fleet.value ?? answer?.fleet;
  return (
    <article class="page">
      <header class="page-head">
        <h1>Fleet</h1>
        {fleet !== undefined && <Verdict fleet={fleet} />}
      </header>
      <Problem error={error} />
      {fleet !== undefined && <Now fleet={fleet} />}
      {answer !== undefined && <Details answer={answer} />}
    </article>
  );
}

const VERDICTS: Readonly<Record<FleetMessage['consumers']['state'], string>> = {
  answering: 'online',
  behind: 'connecting',
  silent: 'offline',
  idle: 'ended',
  unknown: 'unknown',
};

function Verdict({ fleet }: { readonly fleet: FleetMessage }) {
  const { state, detail, sinceUs } = fleet.consumers;
  return (
    <p class="state-line">
      <span class="chip" data-state={VERDICTS[state]}>
        consumers {state}
      </span>
      <span>
        {detail} <span class="muted">for {agoText(store.nowMs.value - sinceUs / 1_000)}</span>
      </span>
    </p>
  );
}

const BATCH_NOTE =
  'On average over the last minute. Consumers do not tell it: results that a head finished at ' +
  'the same microsecond are of one batch.';

const PICTURES_NOTE =
  'Cameras whose settings let small pictures leave them. Of others only results are seen.';

function Now({ fleet }: { readonly fleet: FleetMessage }) {
  const { cameras, ageMs } = fleet;
  return (
    <div class="cards">
      <Facts
        title="Cameras"
        facts={[
          ...Object.entries(cameras.byState).map(([state, count]) => {
            return [state, countText(count)] as const;
          }),
          ['in all', countText(cameras.shown)],
          [SENDS_PICTURES, countText(cameras.sendPictures), PICTURES_NOTE],
          ...(cameras.untold === 0 ? [] : [['not kept', countText(cameras.untold)] as const]),
        ]}
      />
      <Facts
        title="Throughput"
        facts={[
          ['frames a second', decimalText(fleet.framesPerSecond)],
          ...Object.entries(fleet.resultsPerSecond).map(([task, rate]) => {
            return [`${task} a second`, decimalText(rate)] as const;
          }),
          ['KB a frame', decimalText(fleet.kilobytesPerFrame)],
          ['frames a batch', decimalText(fleet.framesPerBatch), BATCH_NOTE],
        ]}
      />
      <Facts
        title="Age and lag"
        facts={[
          ['age, half of them below', durationText(ageMs?.p50)],
          ['age, 95 % below', durationText(ageMs?.p95)],
          ['frames that wait', countText(fleet.lag.records)],
          ['for', durationText(inMs(fleet.lag.seconds))],
          ['dead letters', countText(fleet.deadLetters)],
        ]}
      />
    </div>
  );
}

function Details({ answer }: { readonly answer: FleetAnswer }) {
  const letters = Object.entries(answer.deadLettersByReason).sort(([, a], [, b]) => b - a);
  return (
    <>
      <Table
        title="Topics"
        columns={[
          { title: 'Topic' },
          { title: 'Partitions', isNumber: true },
          { title: 'Records', isNumber: true },
          { title: 'A second', isNumber: true },
        ]}
        rows={answer.topics.map((topic) => [
          topic.name,
          countText(topic.partitionCount),
          countText(topic.records),
          decimalText(topic.recordsPerSecond),
        ])}
      />
      <Table
        title="Partitions of the frame topic"
        columns={[
          { title: 'Partition' },
          { title: 'End', isNumber: true },
          { title: 'Committed', isNumber: true },
          { title: 'Wait', isNumber: true },
          { title: 'For', isNumber: true },
          { title: 'Lag', share: true },
        ]}
        rows={partitionRows(answer)}
      />
      <Table
        title="Dead letters by reason"
        empty="None since the server started."
        columns={[{ title: 'Reason' }, { title: 'Letters', isNumber: true }]}
        rows={letters.map(([reason, count]) => [reason, countText(count)])}
      />
      <Jobs jobs={answer.jobs} />
    </>
  );
}

/** Records that are much for a partition: fewer do not fill its meter. */
const FULL_METER = 200;

function partitionRows({ partitions }: FleetAnswer) {
  const most = Math.max(FULL_METER, ...partitions.map(({ lag }) => lag.records ?? 0));
  return partitions.map(({ partition, endOffset, committedOffset, lag }) => [
    `${partition}`,
    countText(endOffset),
    countText(committedOffset),
    countText(lag.records),
    durationText(inMs(lag.seconds)),
    <meter
      key="lag"
      min={0}
      max={most}
      value={lag.records ?? 0}
      aria-label={`Lag of partition ${partition}: ${lagText(lag)}`}
    />,
  ]);
}

function Jobs({ jobs }: { readonly jobs: JobsFigures }) {
  if (jobs.state === 'unnamed') {
    return (
      <section>
        <h2>Jobs</h2>
        <p class="muted">This server is not told of a Redis (REDIS_URL), so it sees no jobs.</p>
      </section>
    );
  }
  if (jobs.state === 'unreachable') {
    return (
      <section>
        <h2>Jobs</h2>
        <p class="problem">Redis does not answer: {jobs.detail}</p>
      </section>
    );
  }
  const counts = Object.entries(jobs.byState).filter(([, count]) => count > 0);
  return (
    <Table
      title="Jobs"
      note={counts.map(([state, count]) => `${count} ${state}`).join(', ')}
      empty="None."
      columns={[
        { title: 'Job' },
        { title: 'Kind' },
        { title: 'State' },
        { title: 'Done', isNumber: true },
        { title: 'Detail' },
      ]}
      rows={jobs.newest.map(({ id, kind, state, progress, detail }) => [
        id,
        kind,
        state,
        progress === null ? '–' : percentText(progress),
        detail,
      ])}
    />
  );
}

function inMs(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1_000;
}

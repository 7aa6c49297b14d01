import { expect, it } from 'vitest';
import { CameraBook } from '#producers/camera/camera-book.ts';
import { DropSpans, Sampler } from '#producers/camera/frame-trace.ts';
import { beginJourney } from '#producers/camera/journey.ts';
import { noTracer } from '#runtime/trace.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { recordingTracer } from '#test/fixtures/recording-tracer.ts';
import { IMAGE_FACTS } from './journeys.ts';

it("begins for no frame of another agent's camera, nor for one too many, and counts it", () => {
  const book = new CameraBook('gate');
  const owned = { isOurs: true };
  const rate = { hasRoom: true };
  const options = {
    books: new Map([['gate', book]]),
    ratePoints: new Map([['gate', 2]]),
    ownsNow: () => owned.isOurs,
    admits: () => rate.hasRoom,
    sampler: new Sampler(0, 1),
    tracer: noTracer,
    topic: 'frames',
  };
  const begin = (sequence: number) => {
    const image = { ...IMAGE_FACTS, pixels: new Uint8Array(3) };
    return beginJourney(options, { cameraId: 'gate', epoch: 1000, sequence, image });
  };
  expect(begin(0)).toMatchObject({ identity: { sequence: 0 }, ratePoint: 2, heads: null });
  rate.hasRoom = false;
  expect(begin(1)).toBeUndefined();
  owned.isOurs = false;
  expect(begin(2)).toBeUndefined();
  const dropped = { 'rate-limited': 1, 'not-owner': 1 };
  expect(book.totals()).toMatchObject({ captured: 3, dropped, inFlight: 1 });
});

it('shows the drop of a frame that is not traced as a span of its own, and no other end', () => {
  const { tracer, spans } = recordingTracer();
  const drops = new DropSpans(tracer, new ManualClock());
  const journey = (ratio: number) =>
    beginJourney(
      {
        ...{
          books: new Map([['gate', new CameraBook('gate')]]),
          ratePoints: new Map([['gate', 0]]),
        },
        ...{ ownsNow: () => true, sampler: new Sampler(ratio, 1), drops, tracer, topic: 'frames' },
      },
      {
        ...{ cameraId: 'gate', epoch: 1000, sequence: 0 },
        image: { ...IMAGE_FACTS, pixels: new Uint8Array(3) },
      },
    );
  journey(0)?.published();
  expect(spans).toHaveLength(0);
  journey(0)?.dropped('encoder-busy');
  expect(spans.map(({ name }) => name)).toEqual(['drop']);
  journey(1)?.dropped('publish-backlog');
  expect(spans.map(({ name }) => name)).toEqual(['drop', 'capture']);
  expect(spans[1]?.set).toEqual({ 'halfsight.drop.reason': 'publish-backlog' });
});

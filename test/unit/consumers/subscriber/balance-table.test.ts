import { describe, expect, it } from 'vitest';
import { Balance } from '#consumers/subscriber/balance.ts';
import { renderBalance } from '#consumers/subscriber/balance-table.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';

const EPOCH = Date.UTC(2026, 10, 21, 8, 30);

const origin = { originPartition: 0, originOffset: 7 };

function closed(cameraId: string, captured: number, published: number): CameraStatus {
  return {
    cameraId,
    epoch: EPOCH,
    agentId: 'agent',
    state: 'offline',
    captured,
    published,
    dropped: captured > published ? { 'encoder-busy': captured - published } : {},
    reconnects: 0,
    lastFrameTimeUs: null,
    framesPerSecond: 0,
    timeUs: 1,
    final: true,
    ratePoint: null,
    framesPerSecondLimit: null,
    profileChanges: 0,
    interrupted: false,
    sendsPictures: false,
    detail: '',
  };
}

function balanceOf(cameraId: string, balance = new Balance({ heads: ['detection'] })): Balance {
  for (const sequence of [0, 1, 3]) {
    balance.frame({ cameraId, epoch: EPOCH, sequence });
    balance.result('detection', { cameraId, epoch: EPOCH, sequence });
  }
  return balance;
}

describe('renderBalance', () => {
  it('shows a row per camera and epoch, the drops with their reason, and the verdict', () => {
    const balance = balanceOf('gate');
    balance.status(closed('gate', 4, 3));
    expect(renderBalance(balance.report())).toBe(
      [
        'camera  epoch (UTC)          captured  detection  dropped  dead letters  lost' +
          '  duplicated  out of order',
        'gate    2026-11-21 08:30:00         4          3        1             0     0' +
          '           0             0  adds up',
        'dropped: encoder-busy 1',
        'captured = results + dropped + dead letters for detection: 0 lost, 0 duplicated.',
        '',
      ].join('\n'),
    );
  });

  it('names what does not add up, and where', () => {
    const balance = balanceOf('yard', balanceOf('gate'));
    balance.status(closed('gate', 4, 3));
    balance.result('detection', { cameraId: 'yard', epoch: EPOCH, sequence: 1 });
    balance.frame({ cameraId: 'yard', epoch: EPOCH, sequence: 4 });
    balance.status(closed('yard', 5, 4));
    const text = renderBalance(balance.report());
    expect(text).toMatch(/^gate .* adds up$/m);
    expect(text).toMatch(/^yard .* 1 {11}1 {13}0 {2}DOES NOT ADD UP$/m);
    expect(text).toMatch(/^all .*9 {10}6 {8}2 .*$/m);
    expect(text).toContain(`yard, epoch ${EPOCH}: detection: 1 lost`);
    expect(text).toContain('The balance does NOT add up for detection: 1 lost, 1 duplicated.');
  });

  it('says why frames were dropped, and in which epoch where that is not clear', () => {
    const balance = balanceOf('yard', balanceOf('gate'));
    balance.status(closed('gate', 4, 3));
    balance.status({ ...closed('yard', 5, 3), dropped: { shutdown: 2 } });
    const text = renderBalance(balance.report());
    expect(text).toContain('\ndropped: encoder-busy 1, shutdown 2\n');
    expect(text).toContain(`\ngate, epoch ${EPOCH}: dropped encoder-busy 1\n`);
    expect(text).toContain(`\nyard, epoch ${EPOCH}: dropped shutdown 2\n`);
  });

  it('counts a dead letter that was redriven as what came of it', () => {
    const balance = balanceOf('gate');
    balance.deadLetter({ cameraId: 'gate', epoch: EPOCH, sequence: 4 }, origin);
    balance.frame({ cameraId: 'gate', epoch: EPOCH, sequence: 4 });
    balance.status(closed('gate', 5, 4));
    expect(renderBalance(balance.report())).toMatch(/^gate .* 5 +3 +1 +1 +0 +0 +0 {2}adds up$/m);
    balance.redrivenFrame({ cameraId: 'gate', epoch: EPOCH, sequence: 4 }, 1);
    balance.result('detection', { cameraId: 'gate', epoch: EPOCH, sequence: 4 }, 1);
    const text = renderBalance(balance.report());
    expect(text).toMatch(/^gate .* 5 +4 +1 +0 +0 +0 +0 {2}adds up$/m);
    expect(text).toContain('\n1 frames were redriven from the dead letters\n');
  });

  it('says how many results are empty, and why', () => {
    const balance = balanceOf('yard', balanceOf('gate'));
    const first = (cameraId: string) => ({ cameraId, epoch: EPOCH, sequence: 0 });
    balance.shed('detection', first('gate'));
    for (const cameraId of ['gate', 'yard']) balance.unwanted('detection', first(cameraId));
    const text = renderBalance(balance.report());
    expect(text).toContain('\ndetection: 1 of the results are shed, under overload\n');
    expect(text).toContain("\ndetection: 2 of the results are unwanted, by their cameras' heads\n");
  });

  it('says that an epoch is open, and how many frames are under way', () => {
    const balance = balanceOf('gate');
    balance.frame({ cameraId: 'gate', epoch: EPOCH, sequence: 4 });
    const text = renderBalance(balance.report());
    expect(text).toMatch(/^gate .* open$/m);
    expect(text).toContain('0 lost, 0 duplicated (open epochs: as far as known, 1 under way).');
  });

  it('says when there was nothing to count', () => {
    expect(renderBalance(new Balance().report())).toBe('No frame was captured.\n');
  });
});

import { describe, expect, it } from 'vitest';
import {
  type Change,
  checkChange,
  type JobStatus,
  STATUSES,
  statusOf,
} from '#consumers/jobs/job.ts';
import { codeOf } from '#runtime/errors.ts';

describe('statusOf', () => {
  it.each([
    ['waiting', 'waiting', 'paused', 'cancelled'],
    ['prioritized', 'waiting', 'paused', 'cancelled'],
    ['delayed', 'retrying', 'paused', 'cancelled'],
    ['active', 'running', 'pausing', 'cancelling'],
    ['failed', 'failed', 'failed', 'cancelled'],
    ['completed', 'done', 'done', 'done'],
  ] as const)('%s', (state, run, paused, cancelled) => {
    expect(statusOf(state, 'run')).toBe(run);
    expect(statusOf(state, 'paused')).toBe(paused);
    expect(statusOf(state, 'cancelled')).toBe(cancelled);
  });
});

describe('checkChange', () => {
  it.each<[Change, readonly JobStatus[]]>([
    ['pause', ['cancelling', 'cancelled', 'done', 'failed']],
    ['resume', ['retrying', 'cancelling', 'cancelled', 'done', 'failed']],
    ['cancel', ['done', 'failed']],
    ['retry', ['waiting', 'running', 'pausing', 'paused', 'cancelling', 'done']],
    ['remove', ['running', 'pausing', 'cancelling']],
  ])('%s makes no sense of a job that is %j', (change, refusing) => {
    const refused = STATUSES.filter((status) => {
      try {
        checkChange(change, { id: 'night', status });
        return false;
      } catch (error) {
        expect(codeOf(error)).toBe('job-conflict');
        return true;
      }
    });
    expect(refused).toEqual(refusing);
  });

  it('says what to do instead', () => {
    expect(() => checkChange('pause', { id: 'night', status: 'cancelled' })).toThrow(
      expect.objectContaining({
        message: 'job night is cancelled: one cannot pause it.',
        advice: 'npx halfsight jobs retry goes on with it.',
      }),
    );
  });
});

import { EpochAccount } from '#producers/camera/accounts.ts';
import { UNTRACED } from '#producers/camera/frame-trace.ts';
import { type ImageFacts, Journey } from '#producers/camera/journey.ts';

export const IMAGE_FACTS: ImageFacts = {
  captureTimeUs: 1_700_000_000_000_000,
  timeSource: 'synthetic',
  sourceWidth: 1280,
  sourceHeight: 720,
  content: { x: 0, y: 91, width: 416, height: 234 },
};

/** Accounts by camera, and journeys of successive frames in them. */
export class JourneyMaker {
  readonly accounts = new Map<string, EpochAccount>();

  account(cameraId: string): EpochAccount {
    const account = this.accounts.get(cameraId) ?? new EpochAccount({ cameraId, epoch: 1000 });
    this.accounts.set(cameraId, account);
    return account;
  }

  next(cameraId: string): Journey {
    const account = this.account(cameraId);
    const sequence = account.counts().captured;
    account.enter(sequence);
    const identity = { cameraId, epoch: account.epoch, sequence };
    const facts = { image: IMAGE_FACTS, ratePoint: 0, heads: null, trace: UNTRACED };
    return new Journey({ identity, ...facts, account });
  }
}

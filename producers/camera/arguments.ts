import { parseArgs } from 'node:util';
import { HalfsightError } from '#runtime/errors.ts';

export interface AgentArguments {
  /** The file of settings. */
  readonly config: string;
  /** Only look for mistakes in it. */
  readonly check: boolean;
}

/** Throws `usage-invalid`. */
export function readAgentArguments(): AgentArguments {
  const options = {
    config: { type: 'string' },
    check: { type: 'boolean', default: false },
  } as const;
  const advice = 'Usage: node producers/camera/main.ts --config FILE [--check]';
  try {
    const { config, check } = parseArgs({ options }).values;
    if (config !== undefined) return { config, check };
  } catch (error) {
    throw new HalfsightError('usage-invalid', (error as Error).message, { advice });
  }
  throw new HalfsightError('usage-invalid', '--config is missing.', { advice });
}

import { CommandLine, FLAG, TEXT } from '#runtime/command-line.ts';

export interface AgentArguments {
  /** The file of settings. */
  readonly config: string;
  /** Only look for mistakes in it. */
  readonly check: boolean;
}

const line = new CommandLine('Usage: node producers/camera/main.ts --config FILE [--check]');

/** Throws `usage-invalid`. */
export function readAgentArguments(args: readonly string[]): AgentArguments {
  const { config, check = false } = line.readOptions(args, { config: TEXT, check: FLAG });
  return { config: line.needed('--config', config), check };
}

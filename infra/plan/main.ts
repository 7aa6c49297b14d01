import { loadBundle } from '#models/bundle.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { EXIT } from '#runtime/lifecycle.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { PLAN_USAGE, type PlanArguments, readPlanArguments } from './arguments.ts';
import { completeFleet } from './complete.ts';
import { readConstants, SHIPPED_CONSTANTS } from './constants.ts';
import { planFleet } from './plan.ts';
import { planText } from './text.ts';

/** `npx halfsight plan`: see PLAN_USAGE. */
process.stdout.on('error', () => process.exit(EXIT.ok));
try {
  const args = readPlanArguments(process.argv.slice(2), process.cwd());
  process.stdout.write(args === 'help' ? PLAN_USAGE : await plan(args));
} catch (error) {
  if (!(error instanceof HalfsightError)) throw error;
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = EXIT.usage;
}

async function plan(args: PlanArguments): Promise<string> {
  const { bundleDirectory } = readEnvironment();
  const bundle = await loadBundle(args.bundleDirectory ?? bundleDirectory);
  const constants = readConstants(args.constantsFile ?? SHIPPED_CONSTANTS);
  const fleet = completeFleet(args, bundle.manifest, constants);
  const planned = planFleet(fleet, constants);
  if (!args.json) return planText(planned, constants);
  const { bundle: measuredWith, sources } = constants;
  return `${JSON.stringify({ ...planned, measuredWith, sources })}\n`;
}

import { BRIDGE_USAGE } from '#consumers/bridge/arguments.ts';
import { INSPECT_USAGE } from '#consumers/dashboard/inspect/arguments.ts';
import { DEAD_LETTERS_USAGE } from '#consumers/dead-letters/arguments.ts';
import { EXPORT_USAGE } from '#consumers/export/arguments.ts';
import { BACKFILL_USAGE } from '#consumers/jobs/backfill-arguments.ts';
import { FOLLOW_USAGE } from '#consumers/subscriber/follow.ts';
import { USAGE as ACLS_USAGE } from '#infra/acls/arguments.ts';
import { CONTROL_USAGE } from '#infra/control/arguments.ts';
import { VERB_USAGE as CAMERAS_USAGE } from '#infra/fleet/usage.ts';
import { VERB_USAGE as HEADS_USAGE } from '#infra/heads/usage.ts';
import { VERB_USAGE as JOBS_USAGE } from '#infra/jobs/usage.ts';
import { PLAN_USAGE } from '#infra/plan/arguments.ts';
import { runCommand } from '#runtime/command.ts';
import { HalfsightError } from '#runtime/errors.ts';

/** What `--help` says, of a command or of each of its verbs: every word is found in there. */
type Usages = Readonly<Record<string, string | Readonly<Record<string, string>>>>;

const DEAD_LETTER_VERBS = ['list', 'show', 'redrive', 'discard'];
/** Their one option has no line of its own. */
const WEBHOOK_VERBS = { list: '--json', test: '', resume: '' };

const USAGES: Usages = {
  plan: PLAN_USAGE,
  cameras: CAMERAS_USAGE,
  heads: HEADS_USAGE,
  jobs: { add: '--id --json', ...JOBS_USAGE },
  control: CONTROL_USAGE,
  acls: ACLS_USAGE,
  follow: FOLLOW_USAGE,
  inspect: INSPECT_USAGE,
  bridge: BRIDGE_USAGE,
  export: EXPORT_USAGE,
  webhooks: WEBHOOK_VERBS,
  'dead-letters': Object.fromEntries(DEAD_LETTER_VERBS.map((verb) => [verb, DEAD_LETTERS_USAGE])),
  backfill: BACKFILL_USAGE,
  completion: { bash: '' },
};

const COMPLETION_USAGE = `\
Usage: npx halfsight completion bash

Prints what makes bash complete commands, verbs and options. For this shell, and for all:

  source <(npx halfsight completion bash)
  npx halfsight completion bash >> ~/.bashrc
`;

/** `npx halfsight completion`: see COMPLETION_USAGE. */
export async function completeCommands(commands: readonly string[]): Promise<void> {
  await runCommand(async (args) => {
    process.stdout.write(completionText(args, commands));
    return true;
  });
}

function completionText(args: readonly string[], commands: readonly string[]): string {
  const [shell, ...more] = args;
  if (shell === '--help') return COMPLETION_USAGE;
  if (shell === 'bash' && more.length === 0) return bashCompletion(commands);
  throw new HalfsightError('usage-invalid', `there is no completion for "${args.join(' ')}".`, {
    advice: 'See npx halfsight completion --help.',
  });
}

/** For `halfsight ...` and for `npx halfsight ...`; after other programs of npx, files. */
function bashCompletion(commands: readonly string[]): string {
  const cases = Object.entries(USAGES).flatMap(([command, usage]) => {
    if (typeof usage === 'string') return [arm(`${command} *`, optionsIn(usage))];
    const verbs = Object.keys(usage);
    return [
      arm(`${command} `, [...verbs, '--help']),
      ...verbs.map((verb) => arm(`${command} ${verb}*`, optionsIn(usage[verb] ?? ''))),
    ];
  });
  return `\
# bash completion of Halfsight's commands: source <(npx halfsight completion bash)
_halfsight() {
  local at=1 known=
  COMPREPLY=()
  if [[ \${COMP_WORDS[0]##*/} == npx ]]; then
    at=2
    if ((COMP_CWORD == 1)); then
      known=halfsight
    elif [[ \${COMP_WORDS[1]} != halfsight ]]; then
      return
    fi
  fi
  if ((COMP_CWORD == at)); then
    known='${commands.join(' ')}'
  elif ((COMP_CWORD > at)); then
    case "\${COMP_WORDS[*]:at:COMP_CWORD-at} " in
${cases.join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$known" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _halfsight halfsight npx
`;
}

/** What may follow words that begin so. */
function arm(words: string, known: readonly string[]): string {
  const pattern = words.replaceAll(' ', '\\ ');
  return `      ${pattern}) known='${known.join(' ')}' ;;`;
}

/** Each has a line that begins with it. */
function optionsIn(usage: string): readonly string[] {
  const options = [...usage.matchAll(/^ *(--[a-z][a-z-]*)/gm)].map(([, option = '']) => option);
  return [...new Set([...options, '--help'])];
}

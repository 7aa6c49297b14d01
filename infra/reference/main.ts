import { runCommand } from '#runtime/command.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { PAGES, type PageName } from './pages.ts';

/** `npm run --silent asyncapi` and `npm run --silent configuration`. */
const USAGE = `Usage: npm run --silent asyncapi > schemas/asyncapi.yaml
       npm run --silent configuration > infra/configuration.md

Prints the page, written from schemas/ and schemas/topics.ts, or from runtime/settings.ts.
`;

await runCommand(async ([name = '', ...rest]) => {
  if (rest.includes('--help')) {
    process.stdout.write(USAGE);
    return true;
  }
  if (!(name in PAGES) || rest.length > 0) {
    const message = `"${[name, ...rest].join(' ')}" is none of ${Object.keys(PAGES).join(', ')}.`;
    throw new HalfsightError('usage-invalid', message);
  }
  process.stdout.write(PAGES[name as PageName].text());
  return true;
});

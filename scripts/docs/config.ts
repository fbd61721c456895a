import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configKeys } from '../../src/config/config.ts';

/** Writes docs/config.md from the schema; with `--check` it says whether the file is what it would write. */
const path = fileURLToPath(new URL('../../docs/config.md', import.meta.url));

export async function configReference(): Promise<string> {
  const rows = (await configKeys()).map(({ path: key, variable, info }) => {
    const fallback = info.defaultText ?? '–';
    const cells = [
      `\`${key}\``,
      `\`${variable}\``,
      fallback === '–' ? fallback : `\`${fallback}\``,
      info.summary,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return `${intro}\n| key | environment | default | what it is |\n|---|---|---|---|\n${rows.join('\n')}\n${outro}`;
}

const intro = `# Configuration

*Generated from the schema by \`node scripts/docs/config.ts\`: change it there.*

Values come from, each above the one before it:

1. their defaults;
2. one file: \`--config FILE\`, else \`VARVE_CONFIG\`, else \`./varve.yaml\`, else \`/etc/varve/varve.yaml\`;
3. the environment: \`VARVE_\` and the key's path, with camelCase split; lists take commas, an empty variable counts as
   not set;
4. the command line: \`--set KEY=VALUE\`, repeatable, and \`--log-level LEVEL\`.

A key that is not known is an error, and so is a \`VARVE_\` variable that is not known, except what Kubernetes injects for a
Service whose name begins with varve. All problems are reported at once. \`varve config print\` shows every value and where
it comes from; \`varve config validate\` checks a file.

Required: \`kafka.brokers\`, \`local.dir\`, \`repository.dir\`, and one of \`repository.keyFile\` and
\`repository.passphraseFile\`. A command asks only for those of them that it needs.

- **Sizes** are bytes, or carry a unit: kB MB GB TB count in thousands, KiB MiB GiB TiB in 1024.
- **Durations** carry a unit: ms s m h d w mo y. A month counts 31 days here, a year 366. \`archive\` counts by the calendar, in
  whole months or years, or \`forever\`.
- **Paths** that are relative begin at the current directory.
- **Topics** are names or globs of \`*\` and \`?\`. \`__consumer_offsets\`, \`__transaction_state\`, \`__cluster_metadata\`,
  \`__share_group_state\` and \`__varve-*\` are never taken, other names that begin with \`__\` only when \`include\` holds them exactly;
  \`exclude\` wins.
- **Secrets** come from files of their own, or from the environment; never from this file or from the command line.
`;

const outro = `
\`(name)\` stands for a name of your own: a target's or a topic's. For a target, \`VARVE_TARGETS_DR_BROKERS\` sets
\`targets.dr.brokers\`; for a topic a variable only changes what the file names.
`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wanted = await configReference();
  if (!process.argv.includes('--check')) writeFileSync(path, wanted);
  else if (readFileSync(path, 'utf8') !== wanted) {
    console.error('docs/config.md is not what the schema says: run node scripts/docs/config.ts');
    process.exitCode = 1;
  }
}

import { resolve } from 'node:path';
import { exitStatusByCode, VarveError } from '../errors.ts';
import { codeOf } from '../host/host.ts';
import type { RepositorySecret } from '../repository/repository.ts';
import type { Command, CommandContext } from './command.ts';
import { askTarget } from './repository.ts';
import { answeredNo } from './tend.ts';

export const keyGenerate: Command = {
  name: 'key generate',
  summary: 'Make a key file',
  description:
    'Writes 32 random bytes as one line of base64 into a new file that only this user may read. Never overwrites one. ' +
    'Whoever has this file can read the backup, and without it (or another slot) nobody can: keep a copy where the ' +
    'cluster and the target are not.',
  examples: [['varve key generate /etc/varve/key', 'then set repository.keyFile and run varve init']],
  positionals: [{ name: 'file', summary: 'The file to make', required: true }],
  async run(context) {
    const path = resolve(context.cwd, context.args.words[0] ?? '');
    const { disk, random } = context.host;
    try {
      const file = await disk.open(path, 'create');
      try {
        await disk.setMode(path, 0o600);
        await file.write([Buffer.from(`${random.bytes(32).toString('base64')}\n`)], 0);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw cannotMake(path, error);
    }
    if (context.json) await context.out(JSON.stringify({ schema: 'varve.key/1', file: path }));
    else {
      await context.out(`made ${path}`);
      await context.out(
        'keep a copy of it apart from the cluster and from the target: without it the backup cannot be read',
      );
      await context.out('then set repository.keyFile to it and run varve init');
    }
    return 0;
  },
};

function cannotMake(path: string, error: unknown): VarveError {
  if (codeOf(error) === 'EEXIST') {
    return new VarveError('refused', `${path} exists: a key is never overwritten`, {
      hint: 'choose another name, or move the file away if you are sure that nothing needs it',
    });
  }
  return new VarveError(
    'config',
    `${path} cannot be made: ${error instanceof Error ? error.message : String(error)}`,
    {
      hint: 'check that the folder is there and that this user may write in it',
      cause: error,
    },
  );
}

export const keyList: Command = {
  name: 'key list',
  summary: 'List the slots and the content keys of the repository',
  description:
    'Each slot wraps the same root key under one passphrase or key file. The root key opens the keyring, in which the ' +
    'content keys are: everything is sealed under the one that was the newest then. Ends with 4 where something of keys/ ' +
    'is lost, damaged, or another than was copied beside the local files.',
  examples: [['varve key list --json', 'for programs']],
  needs: ['repository'],
  async run(context) {
    const config = await context.config();
    const localFolder = config.local.dir;
    const found = await askTarget(context, { config, order: 'keys', params: { localFolder } });
    const { slots, opensBy, keyring, problems } = found;
    const status = problems.length === 0 ? 0 : exitStatusByCode.damage;
    if (context.json) {
      const told = problems.map(({ file, problem, hint }) => ({ file, problem, hint }));
      const { number, keys } = keyring;
      const document = { schema: 'varve.keys/1', slots, opensBy, keyring: number, keys, problems: told };
      await context.out(JSON.stringify(document));
      return status;
    }
    await context.table([
      ...slots.map(({ slot, kind, created }) => [
        `slot ${slot}`,
        kind,
        created,
        slot === opensBy ? 'opens with what is configured' : '',
      ]),
      ...keyring.keys.map(({ id, created }, index) => [
        'content key',
        id.slice(0, shownOfId),
        created,
        index === keyring.keys.length - 1 ? 'seals what is new' : '',
      ]),
    ]);
    for (const { file, problem, hint } of problems) {
      await context.out(`DAMAGED: keys/${file}: ${problem}`);
      await context.out(`  ${hint}`);
    }
    return status;
  },
};

/** Ids are random: so much of one tells it from any other. */
export const shownOfId = 16;

export const keyAdd: Command = {
  name: 'key add',
  summary: 'Add a key file or passphrase that opens the repository',
  description:
    'Opens the repository with what is configured and wraps its root key once more. Success is told only after the new ' +
    'slot has opened what was written. With --from-sheet a recovery sheet opens it (varve key export printed it): for when ' +
    'every slot is lost; keyrings that are missing are made again from it, too.',
  examples: [
    ['varve key add escrow --key-file /mnt/usb/key', 'a second key file, kept elsewhere'],
    ['varve key add paper --passphrase-file /dev/shm/phrase', 'a passphrase'],
    ['varve key add found --from-sheet /dev/shm/sheet --key-file /etc/varve/key', 'every slot was lost'],
  ],
  positionals: [{ name: 'slot', summary: 'Its name: small letters, digits and -', required: true }],
  options: {
    'key-file': { type: 'string', value: 'FILE', summary: 'The new key file' },
    'passphrase-file': {
      type: 'string',
      value: 'FILE',
      summary: 'The file whose first line is the new passphrase',
    },
    'from-sheet': {
      type: 'string',
      value: 'FILE',
      summary: 'Open it by this recovery sheet, typed into a file',
    },
  },
  async run(context) {
    const fromSheet = context.args.string('from-sheet');
    const { config } = await context.loadedConfig([
      fromSheet === undefined ? 'repository' : 'repository.dir',
    ]);
    const [slot = ''] = context.args.words;
    if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(slot)) {
      throw new VarveError(
        'usage',
        `key add: expected a name of small letters, digits and -, got ${JSON.stringify(slot)}`,
        {
          hint: 'for example: escrow',
        },
      );
    }
    const secret = newSecret(context);
    let made: readonly number[] = [];
    if (fromSheet === undefined)
      await askTarget(context, { config, order: 'addSlot', params: { slot, secret } });
    else {
      const sheet = await readSheet(context, fromSheet);
      const params = { slot, secret, sheet };
      ({ made } = await askTarget(context, { config, order: 'recoverSlot', params }));
    }
    if (!context.json)
      for (const number of made) await context.out(`made keyring.${number} again from the sheet`);
    if (context.json) await context.out(JSON.stringify({ schema: 'varve.key-add/1', slot }));
    else await context.out(`added slot ${slot}: it was opened as a proof`);
    return 0;
  },
};

const sheetBytesMax = 16 * 1024 * 1024;

async function readSheet({ host, cwd }: CommandContext, file: string): Promise<string> {
  const path = resolve(cwd, file);
  const stat = await host.disk.stat(path);
  if (stat?.kind === 'file' && stat.byteLength <= sheetBytesMax) {
    const bytes = await host.disk.readFile(path);
    if (bytes !== undefined) return bytes.toString('utf8');
  }
  const problem = stat === undefined ? 'there is no such file' : 'it is no file of a recovery sheet';
  throw new VarveError('usage', `--from-sheet ${path}: ${problem}`, {
    hint: 'type the lines of the sheet into a file, in memory rather than on a disk: /dev/shm/sheet',
  });
}

function newSecret({ args, cwd }: CommandContext): RepositorySecret {
  const [keyFile, passphraseFile] = [args.string('key-file'), args.string('passphrase-file')];
  if (keyFile !== undefined && passphraseFile === undefined) return { keyFile: resolve(cwd, keyFile) };
  if (passphraseFile !== undefined && keyFile === undefined)
    return { passphraseFile: resolve(cwd, passphraseFile) };
  const got = keyFile === undefined ? 'neither' : 'both';
  throw new VarveError('usage', `key add: expected --key-file or --passphrase-file, got ${got}`, {
    hint: 'varve key generate FILE makes a key file',
  });
}

export const keyRemove: Command = {
  name: 'key remove',
  summary: 'Remove a slot',
  description:
    'From then on its key file or passphrase opens nothing here. It does not help against somebody who opened the ' +
    'repository before: the root key stays the same. The last slot is never removed, and the one that this configuration ' +
    'opens the repository with only by its name, or with --yes and a warning. A slot that was lost, and that the ' +
    'copy beside the local files still knows, is let go of in this way, too.',
  examples: [['varve key remove escrow', 'asks first']],
  positionals: [{ name: 'slot', summary: 'Its name', required: true }],
  options: { yes: { type: 'flag', summary: 'Answer the question with yes' } },
  needs: ['repository'],
  async run(context) {
    const config = await context.config();
    const [slot = ''] = context.args.words;
    const localFolder = config.local.dir;
    const { opensBy } = await askTarget(context, { config, order: 'keys', params: { localFolder } });
    const isOwn = slot === opensBy;
    const own =
      `this configuration opens the repository with slot ${slot}: without it the daemon and the commands here end with ` +
      'status 12 until repository.keyFile or repository.passphraseFile names what opens another';
    const question = `Remove slot ${slot}? It only stops future opening: who has opened the repository with it keeps the root key.`;
    const isYes = await (isOwn
      ? context.confirm(`${question} And ${own}.`, { expect: slot })
      : context.confirm(question));
    if (!isYes) throw answeredNo();
    await askTarget(context, { config, order: 'dropSlot', params: { slot, localFolder } });
    if (context.json) await context.out(JSON.stringify({ schema: 'varve.key-remove/1', slot }));
    else await context.out(`removed slot ${slot}`);
    if (isOwn) context.err(`warning: ${own}`);
    return 0;
  },
};

import { createHash } from 'node:crypto';
import sodium, { ready } from 'libsodium-wrappers';
import { describe, expect, it } from 'vitest';
import {
  argon2Bounds,
  createSlot,
  openSlot,
  readSlot,
  stretchByArgon2,
  type Argon2Request,
  type SlotSecret,
} from '../../src/crypto/crypto.ts';
import { bytesFrom, otherRepository, outcome, outcomeOf, randomFrom, repository, root } from './given.ts';

await ready;

const created = '2026-11-01T00:00:00.000Z';
const cheap = { memoryKiB: argon2Bounds.memoryKiB.min, passes: 1, lanes: 1 };
const passphrase = { passphrase: 'correct horse battery staple' };
const keyFile = { keyFile: bytesFrom('key file', 32) };

/** Not Argon2, and at once; what was asked for is kept. */
function pretended(asked: Argon2Request[] = []) {
  return async (request: Argon2Request): Promise<Buffer> => {
    asked.push(request);
    return createHash('sha256').update(request.passphrase).update(request.salt).digest();
  };
}

async function slotOf(secret: SlotSecret, stretch = pretended()): Promise<Buffer> {
  const random = randomFrom('slot');
  return createSlot({ repository, slot: 'main', created, root, secret, random, cost: cheap, stretch });
}

async function opened(bytes: Buffer, secret: SlotSecret, o: { stretch?: ReturnType<typeof pretended> } = {}) {
  return openSlot(bytes, { repository, slot: 'main', secret, stretch: o.stretch ?? pretended() });
}

const ofPassphrase = await slotOf(passphrase);
const ofKeyFile = await slotOf(keyFile);
const both: [string, Buffer, SlotSecret][] = [
  ['passphrase', ofPassphrase, passphrase],
  ['key file', ofKeyFile, keyFile],
];

/** As somebody would who knows the format, and no secret: with a checksum that is right. */
function forged(bytes: Buffer, change: (text: string) => string): Buffer {
  const text = change(bytes.toString('latin1').replace(/,"checksum":"[0-9a-f]*"\}\n$/, ''));
  const message = Buffer.concat([Buffer.from('varve1 slot checksum'), Buffer.from(text, 'latin1')]);
  return Buffer.from(
    `${text},"checksum":"${Buffer.from(sodium.crypto_generichash(32, message, null)).toString('hex')}"}\n`,
    'latin1',
  );
}

function hash(label: string, rest: Uint8Array, key: Uint8Array): Uint8Array {
  return sodium.crypto_generichash(32, Buffer.concat([Buffer.from(label), rest]), key);
}

describe.each(both)('a slot for a %s', (_, bytes, secret) => {
  it('gives back the root key to whoever has the secret', async () => {
    const key = await opened(bytes, secret);
    expect(key.secret().equals(root.secret())).toBe(true);
  });

  it('shows neither the root key nor the secret', () => {
    const text = bytes.toString('latin1');
    expect(text).not.toContain(root.secret().toString('hex'));
    expect(text).not.toContain(passphrase.passphrase);
    expect(text).not.toContain(keyFile.keyFile.toString('hex'));
    expect(text).toContain(`"root":"${root.idText}"`);
  });

  it('says that the secret is wrong, not that the slot is damaged', async () => {
    const wrong: SlotSecret =
      'passphrase' in secret ? { passphrase: 'correct horse' } : { keyFile: bytesFrom('another', 32) };
    expect(await outcomeOf(opened(bytes, wrong))).toBe('wrong-key');
  });

  it('says that it opens by something else', async () => {
    expect(await outcomeOf(opened(bytes, 'passphrase' in secret ? keyFile : passphrase))).toBe('wrong-key');
  });

  it('with any byte changed is damaged, whatever the secret is', async () => {
    for (let at = 0; at < bytes.length; at += 1) {
      for (const mask of [0x01, 0x20, 0x80]) {
        const bad = Buffer.from(bytes);
        bad.writeUInt8(bad.readUInt8(at) ^ mask, at);
        expect(['block-damaged', 'truncated'], `byte ${at}`).toContain(await outcomeOf(opened(bad, secret)));
      }
    }
  });

  it('cut at any length is truncated or damaged', async () => {
    for (let length = 0; length < bytes.length; length += 1)
      expect(await outcomeOf(opened(bytes.subarray(0, length), secret))).toBe('truncated');
    expect(await outcomeOf(opened(Buffer.concat([bytes, Buffer.from('\n')]), secret))).toBe('truncated');
  });

  it('changed by somebody who makes its checksum right again never gives another root key', async () => {
    const { length } = bytes.toString('latin1').replace(/,"checksum".*/s, '');
    for (let at = 0; at < length; at += 1) {
      const bad = forged(bytes, (text) => {
        const letter = String.fromCharCode(text.charCodeAt(at) ^ 0x01);
        return text.slice(0, at) + letter + text.slice(at + 1);
      });
      const expected = ['block-damaged', 'foreign-object', 'damage', 'wrong-key'];
      expect(expected, `byte ${at}`).toContain(await outcomeOf(opened(bad, secret)));
    }
  });

  it('of another repository, or under another name, is foreign', async () => {
    const stretch = pretended();
    const of = (slot: string, repositoryId: string): Promise<string> =>
      outcomeOf(openSlot(bytes, { repository: repositoryId, slot, secret, stretch }));
    expect(await of('main', otherRepository)).toBe('foreign-object');
    expect(await of('spare', repository)).toBe('foreign-object');
    expect(await of('main', repository)).toBe('opened');
  });

  it('of a newer format is refused as one, once it is known to be whole', async () => {
    const newer = forged(bytes, (text) => text.replace('"format":1', '"format":2'));
    expect(await outcomeOf(opened(newer, secret))).toBe('no-repository');
  });

  it('has one form: spaces, members that are twice there or in another order are refused', async () => {
    const root16 = /"root":"[0-9a-f]{32}",/;
    const forms = [
      (text: string) => text.replace('"slot":', '"slot": '),
      (text: string) => text.replace('"slot":"main",', '"slot":"main","slot":"main",'),
      (text: string) => text.replace('{"format":1,', '{').replace(',"slot"', ',"format":1,"slot"'),
      (text: string) => text.replace(root16, (member) => member.repeat(2)),
      (text: string) => text.replace('{', '{"more":1,'),
    ];
    for (const form of forms)
      expect(await outcomeOf(opened(forged(bytes, form), secret))).toBe('block-damaged');
    expect(
      await outcomeOf(
        opened(
          forged(bytes, (text) => text),
          secret,
        ),
      ),
    ).toBe('opened');
  });
});

describe('a passphrase', () => {
  it('is stretched by Argon2id at the cost that the slot says', async () => {
    const bytes = await slotOf(passphrase, stretchByArgon2);
    const key = await openSlot(bytes, { repository, slot: 'main', secret: passphrase });
    expect(key.secret().equals(root.secret())).toBe(true);
    expect(await outcomeOf(opened(bytes, passphrase, { stretch: pretended() }))).toBe('wrong-key');
    expect(readSlot(bytes, 'main')).toMatchObject({ kind: 'passphrase', argon2id: cheap });
  });

  it('is the same however its letters were composed', async () => {
    const composed = await slotOf({ passphrase: 'caf\u00e9' });
    expect(await outcomeOf(opened(composed, { passphrase: 'cafe\u0301' }))).toBe('opened');
  });

  it('that is empty is refused before anything is stretched', async () => {
    const asked: Argon2Request[] = [];
    expect(await outcomeOf(slotOf({ passphrase: '' }, pretended(asked)))).toBe('wrong-key');
    expect(await outcomeOf(opened(ofPassphrase, { passphrase: '' }, { stretch: pretended(asked) }))).toBe(
      'wrong-key',
    );
    expect(asked).toHaveLength(0);
  });

  it('is never stretched at a cost out of bounds, however sound the slot looks', async () => {
    const asked: Argon2Request[] = [];
    const costs = [
      { ...cheap, memoryKiB: 64 * 1024 - 1 },
      { ...cheap, memoryKiB: 1024 * 1024 + 1 },
      { ...cheap, memoryKiB: 2 ** 40 },
      { ...cheap, passes: 0 },
      { ...cheap, passes: 11 },
      { ...cheap, lanes: 0 },
      { ...cheap, lanes: 5 },
      { ...cheap, lanes: -1 },
      { ...cheap, passes: 1.5 },
    ];
    for (const cost of costs) {
      const bad = forged(ofPassphrase, (text) =>
        text.replace(/"argon2id":\{[^}]*\}/, `"argon2id":${JSON.stringify(cost)}`),
      );
      expect(['damage', 'block-damaged']).toContain(outcome(() => readSlot(bad, 'main')));
      expect(['damage', 'block-damaged']).toContain(
        await outcomeOf(opened(bad, passphrase, { stretch: pretended(asked) })),
      );
      expect(
        await outcomeOf(stretchByArgon2({ passphrase: Buffer.from('x'), salt: Buffer.alloc(16), ...cost })),
      ).toBe('damage');
      const fresh = {
        repository,
        slot: 'main',
        created,
        root,
        secret: passphrase,
        random: randomFrom('slot'),
      };
      expect(await outcomeOf(createSlot({ ...fresh, cost, stretch: pretended(asked) }))).toBe('damage');
    }
    expect(asked).toHaveLength(0);
  });

  it('stretched with a smaller cost than the slot was made for does not open it', async () => {
    const asked: Argon2Request[] = [];
    const weaker = forged(ofPassphrase, (text) => text.replace('"memoryKiB":65536', '"memoryKiB":65537'));
    expect(await outcomeOf(opened(weaker, passphrase, { stretch: pretended(asked) }))).toBe('wrong-key');
    expect(asked).toHaveLength(1);
  });
});

describe('a key file', () => {
  it('has 32 bytes', async () => {
    await expect(opened(ofKeyFile, { keyFile: bytesFrom('key file', 31) })).rejects.toThrow(
      '32 bytes, got 31',
    );
    for (const length of [0, 31, 33, 64])
      expect(await outcomeOf(opened(ofKeyFile, { keyFile: bytesFrom('key file', length) }))).toBe(
        'wrong-key',
      );
  });
});

describe('a slot that was made by somebody who has the secret', () => {
  it('is refused where it holds another key than it says', async () => {
    const salt = bytesFrom('slot 1', 16);
    const text = ofKeyFile.toString('latin1');
    const bound = text.slice(0, text.indexOf(',"box"'));
    const slotKey = hash('varve1 slot', Buffer.from(bound), hash('varve1 key file', salt, keyFile.keyFile));
    const boxOf = (key: Buffer): string =>
      Buffer.from(
        sodium.crypto_aead_chacha20poly1305_ietf_encrypt(key, null, null, Buffer.alloc(12), slotKey),
      ).toString('hex');
    const made = (key: Buffer): Buffer => forged(ofKeyFile, () => `${bound},"box":"${boxOf(key)}"`);
    expect(made(root.secret()).equals(ofKeyFile)).toBe(true);
    expect(await outcomeOf(opened(made(bytesFrom('another', 32)), keyFile))).toBe('foreign-object');
  });
});

describe('a slot file', () => {
  it('is read without the secret', () => {
    expect(readSlot(ofKeyFile, 'main')).toMatchObject({
      kind: 'key-file',
      slot: 'main',
      created,
      repository,
    });
  });

  it('larger than any slot is refused before it is looked at', () => {
    expect(() => readSlot(Buffer.alloc(1 << 20, '}\n'), 'main')).toThrow('at most 4096 bytes');
  });

  it('is never made under a name that could not be read again', async () => {
    for (const slot of ['', 'Main', '../main', 'a'.repeat(64), 'main.json']) {
      const fresh = { repository, slot, created, root, secret: keyFile, random: randomFrom('slot') };
      expect(await outcomeOf(createSlot(fresh))).toBe('block-damaged');
    }
  });
});

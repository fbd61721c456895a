import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createKeyring,
  decodeBase32,
  encodeBase32,
  Key,
  Keyring,
  openKeyring,
  openWhole,
  rotateKeyring,
  sealKeyring,
  sealWhole,
  topicToken,
} from '../../src/crypto/crypto.ts';
import {
  bytesFrom,
  codec,
  identities,
  otherRepository,
  outcome,
  randomFrom,
  repository,
  root,
} from './given.ts';

const created = '2026-11-01T00:00:00.000Z';
const later = '2026-12-01T00:00:00.000Z';
const random = randomFrom('keyring');
const first = createKeyring({ created, random });
const second = rotateKeyring(first, { created: later, random });
const sealing = { repository, root, codec, random };

describe('a keyring', () => {
  it('comes back with every key, in order, under the root key', () => {
    const opened = openKeyring(sealKeyring(second, sealing), { ...sealing, number: 2 });
    expect(opened.number).toBe(2);
    expect(opened.keys.map(({ key, created: at }) => [key.idText, at])).toEqual(
      second.keys.map(({ key, created: at }) => [key.idText, at]),
    );
    expect(opened.current.secret().equals(second.current.secret())).toBe(true);
  });

  it('that is rotated seals under the new key and still opens what the old one sealed', () => {
    const identity = identities.segment;
    const old = sealWhole(Buffer.from('old'), { identity, key: first.current, codec, random });
    expect(second.current.idText).not.toBe(first.current.idText);
    const findKey = (id: Buffer): Key | undefined => second.find(id);
    expect(openWhole(old, { identity, findKey, codec }).toString()).toBe('old');
    const fresh = sealWhole(Buffer.from('new'), { identity, key: second.current, codec, random });
    expect(outcome(() => openWhole(fresh, { identity, findKey: (id) => first.find(id), codec }))).toBe(
      'foreign-object',
    );
  });

  it('does not open as that of another number, another repository or under another root key', () => {
    const sealed = sealKeyring(first, sealing);
    const open = (changed: object): string =>
      outcome(() => openKeyring(sealed, { ...sealing, number: 1, ...changed }));
    expect(open({})).toBe('opened');
    expect(open({ number: 2 })).toBe('foreign-object');
    expect(open({ repository: otherRepository })).toBe('foreign-object');
    expect(open({ root: new Key(bytesFrom('another root', 32)) })).toBe('foreign-object');
  });

  it('that was written wrongly is damage, and no key of it is in the message', () => {
    const secret = bytesFrom('content', 32).toString('hex');
    const contents = [
      'not JSON',
      JSON.stringify({ keyring: 2, keys: [{ key: secret, created }] }),
      JSON.stringify({ keyring: 1, keys: [] }),
      JSON.stringify({ keyring: 1, keys: [{ key: secret.slice(1), created }] }),
      JSON.stringify({ keyring: 1, keys: [{ key: secret, created, more: secret }] }),
    ];
    for (const content of contents) {
      const identity = identities.keyring;
      const sealed = sealWhole(Buffer.from(content), { identity, key: root, codec, random });
      const open = (): unknown => openKeyring(sealed, { ...sealing, number: 1 });
      expect(['block-damaged', 'foreign-object']).toContain(outcome(open));
      try {
        open();
      } catch (error) {
        expect(inspect(error)).not.toContain(secret.slice(1));
      }
    }
  });

  it('has at least one key', () => {
    expect(() => new Keyring(1, [])).toThrow('a keyring has');
  });
});

describe('a key', () => {
  it('has 32 bytes and an id that only it has', () => {
    expect(() => new Key(Buffer.alloc(31))).toThrow('32 bytes');
    expect(new Key(Buffer.alloc(32)).idText).not.toBe(new Key(Buffer.alloc(32, 1)).idText);
  });

  it('shows its secret in no log line', () => {
    const hex = root.secret().toString('hex');
    const base64 = root.secret().toString('base64');
    for (const text of [
      inspect(root, { depth: 9, showHidden: true }),
      JSON.stringify(root),
      JSON.stringify(second),
    ]) {
      expect(text).not.toContain(hex);
      expect(text).not.toContain(base64);
      expect(text).not.toContain(String([...root.secret()]));
    }
  });

  it('does not change with the bytes it was made from', () => {
    const bytes = bytesFrom('mutable', 32);
    const key = new Key(bytes);
    const before = key.secret().toString('hex');
    bytes.fill(0);
    expect(key.secret().toString('hex')).toBe(before);
  });
});

describe('base32', () => {
  it('is that of RFC 4648, in lower case and without padding', () => {
    const vectors = {
      f: 'my',
      fo: 'mzxq',
      foo: 'mzxw6',
      foob: 'mzxw6yq',
      fooba: 'mzxw6ytb',
      foobar: 'mzxw6ytboi',
    };
    expect(encodeBase32(Buffer.alloc(0))).toBe('');
    for (const [text, encoded] of Object.entries(vectors)) {
      expect(encodeBase32(Buffer.from(text))).toBe(encoded);
      expect(decodeBase32(encoded)?.toString()).toBe(text);
    }
  });

  it('gives back any bytes, and takes no text that it would not write', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        expect(decodeBase32(encodeBase32(bytes))?.equals(bytes)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('abz2379018=A ')), maxLength: 12 }),
        (text) => {
          const decoded = decodeBase32(text);
          if (decoded !== undefined) expect(encodeBase32(decoded)).toBe(text);
        },
      ),
    );
    for (const text of ['a', 'aaa', 'aaaaaa', 'MY', 'my======', 'mz', 'm', 'a1', '😀😀'])
      expect(decodeBase32(text)).toBeUndefined();
  });
});

describe('the token of a topic', () => {
  const orders = { id: 'AAECAwQFBgcICQoLDA0ODw', name: 'orders' };

  it('is 32 letters that tell nothing of the name and stay the same', () => {
    const token = topicToken(root, orders);
    expect(token).toMatch(/^[a-z2-7]{32}$/);
    expect(topicToken(new Key(root.secret()), { ...orders })).toBe(token);
  });

  it('differs by name, by letter case, by incarnation and by repository', () => {
    const tokens = [
      topicToken(root, orders),
      topicToken(root, { ...orders, name: 'Orders' }),
      topicToken(root, { ...orders, name: 'order' }),
      topicToken(root, { ...orders, id: 'AQECAwQFBgcICQoLDA0ODw' }),
      topicToken(new Key(bytesFrom('another root', 32)), orders),
    ];
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  it('is of a topic id in the form that Kafka writes', () => {
    for (const id of ['', 'AAECAwQFBgcICQoLDA0OD', 'AAECAwQFBgcICQoLDA0ODx', 'AAECAwQFBgcICQoLDA0ODw=='])
      expect(() => topicToken(root, { ...orders, id })).toThrow('not a topic id');
  });
});

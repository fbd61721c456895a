import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blockBytes,
  FrameCodec,
  headerBytes,
  Key,
  makeHead,
  ObjectOpener,
  openBlocks,
  openStream,
  openWhole,
  sealBlock,
  type ObjectIdentity,
} from '../../src/crypto/crypto.ts';
import {
  bytesFrom,
  codec,
  content,
  findKey,
  identities,
  kinds,
  otherRepository,
  outcome,
  outcomeOf,
  gathered,
  inPieces,
  keyFor,
  root,
  seal,
  sealedPieces,
} from './given.ts';

const raw = bytesFrom('a small object', 90);
const identity = identities.segment;
const opening = { identity, findKey, codec };

function open(sealed: Buffer, wanted: ObjectIdentity = identity): string {
  return outcome(() => openWhole(sealed, { ...opening, identity: wanted }));
}

function flipped(bytes: Buffer, at: number, mask: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ mask, at);
  return copy;
}

/** Whoever has the key can seal what no sealer of ours does. */
function openForged(frame: Buffer): string {
  const { header, objectKey } = makeHead(identity, keyFor(identity), bytesFrom('salt', 32));
  const [sealed, tag] = sealBlock(objectKey, { number: 0, last: true }, frame);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(sealed.length + tag.length);
  return open(Buffer.concat([header, length, sealed, tag]));
}

function withoutLength(block: Buffer | undefined): Buffer {
  if (block === undefined) throw new Error('no such block');
  return block.subarray(4);
}

const findNone = (): undefined => undefined;

describe.each(kinds)('a sealed %s', (kind) => {
  const wanted = identities[kind];
  const sealed = seal(raw, wanted);

  it('cut at any length is truncated, also where nothing is left', () => {
    for (let length = 0; length < sealed.length; length += 1)
      expect(`${length} ${open(sealed.subarray(0, length), wanted)}`).toBe(`${length} truncated`);
    expect(open(sealed, wanted)).toBe('opened');
  });

  it('with anything behind its last block is refused, also where that is another object', () => {
    for (const more of [Buffer.alloc(1), Buffer.alloc(200), sealed])
      expect(open(Buffer.concat([sealed, more]), wanted)).toBe('trailing');
  });

  it('with one bit changed anywhere does not open, and says whether the head or the block is to blame', () => {
    for (let at = 0; at < sealed.length; at += 1) {
      for (const mask of [0x01, 0x80]) {
        const got = open(flipped(sealed, at, mask), wanted);
        const expected =
          at < headerBytes
            ? ['foreign-object']
            : at < headerBytes + 4
              ? ['block-damaged', 'truncated', 'trailing']
              : ['block-damaged'];
        expect(expected, `byte ${at}`).toContain(got);
      }
    }
  });

  it('with its length field made smaller, larger or senseless allocates nothing by it', () => {
    for (const length of [0, 16, 17, 0x7fffffff, 0xffffffff, blockBytes + 5000]) {
      const copy = Buffer.from(sealed);
      copy.writeUInt32BE(length, headerBytes);
      expect(['block-damaged', 'truncated']).toContain(open(copy, wanted));
    }
  });

  it('presented as an object of another kind is foreign', () => {
    for (const other of kinds)
      expect(open(sealed, identities[other])).toBe(other === kind ? 'opened' : 'foreign-object');
  });
});

const foreigners: [string, ObjectIdentity, ObjectIdentity][] = [
  ['another repository', identity, { ...identity, repository: otherRepository }],
  ['another instance', identity, { ...identity, instance: 'other' }],
  ['another topic', identity, { ...identity, topic: 'Orders' }],
  ['another incarnation', identity, { ...identity, topicId: 'AQECAwQFBgcICQoLDA0ODw' }],
  ['another partition', identity, { ...identity, partition: 4 }],
  ['another base offset', identity, { ...identity, base: 4712n }],
  ['another next offset', identity, { ...identity, next: 4801n }],
  ['another pack', identities.index, { ...identities.index, pack: '2026-11/0000000008-0.tar' }],
  ['another snapshot', identities.manifest, { ...identities.manifest, snapshot: '20261101T000000Z-1a2c' }],
  ['another seq', identities.manifest, { ...identities.manifest, seq: 8n }],
  ['another keyring', identities.keyring, { ...identities.keyring, number: 2 }],
  [
    'a keyring of another repository',
    identities.keyring,
    { ...identities.keyring, repository: otherRepository },
  ],
  ['another mark', identities.mark, { ...identities.mark, type: 'pinned' }],
  ['a mark of another snapshot', identities.mark, { ...identities.mark, snapshot: '20261101T000000Z-1a2c' }],
];

describe('an object under a name that is not its own', () => {
  it.each(foreigners)('does not open: %s', (_, own, presentedAs) => {
    expect(open(seal(raw, own), own)).toBe('opened');
    expect(open(seal(raw, own), presentedAs)).toBe('foreign-object');
  });

  it('does not open either where two fields together read the same', () => {
    const one = { ...identities.mark, snapshot: 'ab', type: 'c' };
    const two = { ...identities.mark, snapshot: 'a', type: 'bc' };
    expect(open(seal(raw, one), two)).toBe('foreign-object');
    const shifted = { ...identity, instance: 'mai', topic: 'norders' };
    expect(open(seal(raw, identity), shifted)).toBe('foreign-object');
  });
});

describe('an object and its key', () => {
  it('of another keyring is foreign, and its key is named by its id', () => {
    expect(outcome(() => openWhole(seal(raw), { ...opening, findKey: findNone }))).toBe('foreign-object');
    expect(() => openWhole(seal(raw), { ...opening, findKey: findNone })).toThrow(content.idText);
  });

  it('that only claims the id of the key asked for does not open', () => {
    const impostor = new Key(bytesFrom('impostor', 32));
    const found = (): Key => impostor;
    expect(outcome(() => openWhole(seal(raw), { ...opening, findKey: found }))).toBe('foreign-object');
  });

  it('has no secret in any message', () => {
    const secrets = [root, content].map((key) => key.secret().toString('hex'));
    const messages = [seal(raw).subarray(0, 50), flipped(seal(raw), 70, 1), flipped(seal(raw), 120, 1)].map(
      (bytes) => {
        try {
          openWhole(bytes, opening);
          return '';
        } catch (error) {
          return String(error);
        }
      },
    );
    for (const message of messages) {
      expect(message).toContain('segment 4711 of orders/3');
      for (const secret of secrets) expect(message).not.toContain(secret);
    }
  });
});

describe('the blocks of an object', () => {
  const full = [bytesFrom('block 0', blockBytes), bytesFrom('block 1', blockBytes)] as const;
  const tail = bytesFrom('block 2', 1000);
  const { header, blocks } = sealedPieces([...full, tail]);
  const [first, second, last] = blocks;
  const file = (...pieces: (Buffer | undefined)[]): Buffer =>
    Buffer.concat([header, ...pieces.map((piece) => piece ?? Buffer.alloc(0))]);

  it('open in their order and in no other', () => {
    expect(open(file(first, second, last))).toBe('opened');
    expect(open(file(second, first, last))).toBe('block-damaged');
    expect(open(file(first, first, last))).toBe('block-damaged');
    expect(open(file(first, last, second))).toBe('block-damaged');
    expect(open(file(second, last))).toBe('block-damaged');
  });

  it('are all asked for: an object cut between two of them is truncated, one with more has trailing bytes', () => {
    expect(open(file())).toBe('truncated');
    expect(open(file(first))).toBe('truncated');
    expect(open(file(first, second))).toBe('truncated');
    expect(open(file(first, second, last, last))).toBe('trailing');
  });

  it('do not open in an object with another salt, or as those of another one', () => {
    const other = seal(Buffer.concat([...full, tail]), { ...identity, base: 0n });
    expect(open(Buffer.concat([other.subarray(0, headerBytes), ...blocks]), { ...identity, base: 0n })).toBe(
      'block-damaged',
    );
  });

  it('cut or changed anywhere never give out a byte that was not sealed', async () => {
    const whole = file(first, second, last);
    const good = Buffer.concat([...full, tail]);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, mask, isCut) => {
          const bad = isCut ? whole.subarray(0, at) : flipped(whole, at, mask);
          const got: Buffer[] = [];
          const reading = async (): Promise<void> => {
            for await (const block of openStream(inPieces(bad, [300_000]), opening)) got.push(block);
          };
          expect(await outcomeOf(reading())).not.toBe('opened');
          const all = Buffer.concat(got);
          expect(all.equals(good.subarray(0, all.length))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
    const opened = await gathered(openStream(inPieces(whole, [300_000]), opening));
    expect(opened.equals(good)).toBe(true);
  });

  it('that failed once give out nothing more, and what has ended takes nothing more', () => {
    const behind = new ObjectOpener(opening);
    behind.push(seal(raw));
    expect(outcome(() => behind.push(Buffer.from('x')))).toBe('trailing');
    expect(() => behind.end()).toThrow('ended already');
    const ended = new ObjectOpener(opening);
    ended.push(seal(raw));
    expect(ended.end().equals(raw)).toBe(true);
    expect(() => ended.push(Buffer.from('x'))).toThrow('behind the end');
  });

  it('asked for one by one say when the end is at another place', () => {
    const opener = openBlocks(header, opening);
    expect(outcome(() => opener.open(withoutLength(second), { number: 1, last: false }))).toBe('opened');
    expect(outcome(() => opener.open(withoutLength(second), { number: 1, last: true }))).toBe('truncated');
    expect(outcome(() => opener.open(withoutLength(last), { number: 2, last: false }))).toBe('trailing');
    expect(outcome(() => opener.open(withoutLength(last), { number: 1, last: true }))).toBe('block-damaged');
    expect(outcome(() => opener.open(Buffer.alloc(3), { number: 0, last: false }))).toBe('block-damaged');
  });
});

describe('a block that is authentic', () => {
  it('is still refused where it is not exactly one whole frame', () => {
    const frame = Buffer.from(new FrameCodec().compress(raw));
    expect(openForged(frame)).toBe('opened');
    expect(openForged(frame.subarray(0, frame.length - 1))).toBe('block-damaged');
    expect(openForged(Buffer.concat([frame, frame]))).toBe('block-damaged');
    expect(openForged(Buffer.concat([frame, Buffer.alloc(1)]))).toBe('block-damaged');
    expect(openForged(raw)).toBe('block-damaged');
  });

  it('and short, but not the last, is refused', () => {
    const short = sealedPieces([bytesFrom('one', blockBytes), bytesFrom('two', 10)]);
    const { objectKey } = makeHead(identity, content, bytesFrom('salt 1', 32));
    const [sealed, tag] = sealBlock(objectKey, { number: 0, last: false }, new FrameCodec().compress(raw));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(sealed.length + tag.length);
    const [, end] = short.blocks;
    expect(open(Buffer.concat([short.header, length, sealed, tag, end ?? Buffer.alloc(0)]))).toBe(
      'block-damaged',
    );
  });
});

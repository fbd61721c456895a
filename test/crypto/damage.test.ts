import * as fc from 'fast-check';
import sodium from 'libsodium-wrappers';
import { describe, expect, it } from 'vitest';
import {
  blockBytes,
  encodeIdentity,
  FrameCodec,
  headerBytes,
  Key,
  makeHead,
  ObjectOpener,
  openBlocks,
  openStream,
  openWhole,
  sealBlock,
  sealedBlockBytesMax,
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
function openForged(...frames: Buffer[]): string {
  const { header, objectKey } = makeHead(identity, keyFor(identity), bytesFrom('salt', 32));
  const blocks = frames.map((frame, number) => {
    const position = { number, last: number === frames.length - 1 };
    const [sealed, tag] = sealBlock(objectKey, position, frame);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(sealed.length + tag.length);
    return Buffer.concat([length, sealed, tag]);
  });
  return open(Buffer.concat([header, ...blocks]));
}

function frameOf(bytes: Buffer): Buffer {
  return Buffer.from(new FrameCodec().compress(bytes));
}

/** The head with a byte changed, and a commit that fits: not for a thief, but for a later version of ours. */
function openWithHead(at: number, value: number): string {
  const sealed = seal(raw);
  sealed.writeUInt8(value, at);
  const encoded = encodeIdentity(identity);
  const length = Buffer.from([encoded.length >> 8, encoded.length & 255]);
  const message = Buffer.concat([Buffer.from('varve1 object'), sealed.subarray(0, 64), length, encoded]);
  const objectKey = sodium.crypto_generichash(32, message, content.secret());
  Buffer.from(sodium.crypto_generichash(32, 'varve1 commit', objectKey)).copy(sealed, 64);
  return open(sealed);
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

  it('with a length that no block has is damaged as soon as the length is there', () => {
    for (const length of [0, 16, sealedBlockBytesMax + 1, 0x7fffffff, 0xffffffff]) {
      const stump = Buffer.from(sealed.subarray(0, headerBytes + 4));
      stump.writeUInt32BE(length, headerBytes);
      expect(open(stump, wanted)).toBe('block-damaged');
    }
    for (const length of [17, sealedBlockBytesMax]) {
      const stump = Buffer.from(sealed.subarray(0, headerBytes + 4));
      stump.writeUInt32BE(length, headerBytes);
      expect(open(stump, wanted)).toBe('truncated');
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
    const frame = frameOf(raw);
    expect(openForged(frame)).toBe('opened');
    expect(openForged(frame.subarray(0, frame.length - 1))).toBe('block-damaged');
    expect(openForged(Buffer.concat([frame, frame]))).toBe('block-damaged');
    expect(openForged(Buffer.concat([frame, Buffer.alloc(1)]))).toBe('block-damaged');
    expect(openForged(raw)).toBe('block-damaged');
  });

  it('is refused where it is shorter than its place allows', () => {
    const full = frameOf(bytesFrom('full', blockBytes));
    expect(openForged(full, frameOf(raw))).toBe('opened');
    expect(openForged(frameOf(raw), full)).toBe('block-damaged');
    expect(openForged(full, frameOf(Buffer.alloc(0)))).toBe('block-damaged');
    expect(openForged(frameOf(Buffer.alloc(0)))).toBe('opened');
  });
});

describe('a head that is authentic', () => {
  it('is still refused where it is not of this format', () => {
    expect(openWithHead(8, 1)).toBe('opened');
    expect(openWithHead(40, 0)).toBe('block-damaged'); // another salt: the head opens, the blocks are not its own
    for (const [at, value] of [
      [0, 0x76],
      [8, 2],
      [9, 2],
      [10, 2],
      [11, 21],
      [12, 1],
      [15, 1],
    ] as const)
      expect(openWithHead(at, value), `byte ${at}`).toBe('foreign-object');
  });
});

import { createHash } from 'node:crypto';
import { VarveError } from '../../src/errors.ts';
import {
  FrameCodec,
  Key,
  ObjectSealer,
  sealWhole,
  SealedDamage,
  type ObjectIdentity,
  type ObjectKind,
} from '../../src/crypto/crypto.ts';

/** The same bytes on every run: SHA-256 of the name and a counter. */
export function bytesFrom(name: string, count: number): Buffer {
  const pieces: Buffer[] = [];
  for (let made = 0; made < count; made += 32)
    pieces.push(createHash('sha256').update(`${name} ${made}`).digest());
  return Buffer.concat(pieces).subarray(0, count);
}

/** Randomness that repeats: the salts of one test never decide its outcome. */
export function randomFrom(name: string): { bytes(count: number): Buffer } {
  let calls = 0;
  return { bytes: (count) => bytesFrom(`${name} ${(calls += 1)}`, count) };
}

export const repository = '0f5b3c1e-8a7d-4c2b-9e6f-102132435465';
export const otherRepository = '1f5b3c1e-8a7d-4c2b-9e6f-102132435465';
export const root = new Key(bytesFrom('root', 32));
export const content = new Key(bytesFrom('content', 32));
export const codec = new FrameCodec();
export const findKey = (id: Buffer): Key | undefined => [root, content].find((key) => key.id.equals(id));

const instance = 'main';
const snapshot = '20261101T000000Z-1a2b';
export const identities = {
  segment: {
    kind: 'segment',
    repository,
    instance,
    topicId: 'AAECAwQFBgcICQoLDA0ODw',
    topic: 'orders',
    partition: 3,
    base: 4711n,
    next: 4800n,
  },
  index: { kind: 'index', repository, instance, pack: '2026-11/0000000007-0.tar' },
  manifest: { kind: 'manifest', repository, instance, snapshot, seq: 7n },
  keyring: { kind: 'keyring', repository, number: 1 },
  mark: { kind: 'mark', repository, instance, snapshot, type: 'verified' },
} as const satisfies { [K in ObjectKind]: ObjectIdentity & { kind: K } };

export const kinds = ['segment', 'index', 'manifest', 'keyring', 'mark'] as const;

export function keyFor(identity: ObjectIdentity): Key {
  return identity.kind === 'keyring' ? root : content;
}

export function seal(raw: Uint8Array, identity: ObjectIdentity = identities.segment): Buffer {
  return sealWhole(raw, { identity, key: keyFor(identity), codec, random: randomFrom('salt') });
}

/** The pieces of an object that a test puts together in another way: the head, and each block with its length. */
export function sealedPieces(blocks: readonly Buffer[]): { header: Buffer; blocks: Buffer[] } {
  const sealer = new ObjectSealer({
    identity: identities.segment,
    key: content,
    codec,
    random: randomFrom('salt'),
  });
  const sealed = blocks.map((raw, at) =>
    Buffer.concat(sealer.block(raw, { last: at === blocks.length - 1 })),
  );
  return { header: sealer.header, blocks: sealed };
}

/** How it ended: `opened`, the reason of a damage, or the code of another error. */
export function outcome(act: () => unknown): string {
  try {
    act();
    return 'opened';
  } catch (error) {
    return nameOf(error);
  }
}

export async function outcomeOf(act: Promise<unknown>): Promise<string> {
  try {
    await act;
    return 'opened';
  } catch (error) {
    return nameOf(error);
  }
}

function nameOf(error: unknown): string {
  if (error instanceof SealedDamage && error.code === 'damage' && error.hint !== undefined)
    return error.reason;
  if (error instanceof VarveError && error.hint !== undefined) return error.code;
  throw error;
}

export async function* inPieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let position = 0;
  for (let at = 0; position < bytes.length; at += 1) {
    const size = sizes[at % sizes.length] ?? bytes.length;
    yield bytes.subarray(position, position + size);
    position += size;
  }
}

export async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

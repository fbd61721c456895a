#!/usr/bin/env node
/**
 * Lists and extracts a snapshot without Varve: written from docs/format.md alone, with libsodium for every primitive and
 * Node's own zstd. It shares no line with src/ and needs Node 22.15 or later and the package libsodium-wrappers.
 *
 *   node scripts/unseal.mjs REPOSITORY --key-file F [--instance I] [--snapshot ID] list
 *   node scripts/unseal.mjs REPOSITORY --key-file F [--instance I] [--snapshot ID] extract OUT
 *
 * It opens by a key file only: libsodium-wrappers has no Argon2, so a passphrase needs Varve itself, or another library.
 * `extract` writes OUT/<topic>/<topic id>/<partition>/<base offset>[.e<branch>].log, the segments as they were in the local
 * folder: concatenated record batches that kafka-dump-log.sh reads. Which of their offsets are covered, `list` tells.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';
import sodium, { ready } from 'libsodium-wrappers';

const usage = 'usage: unseal.mjs REPOSITORY --key-file F [--instance I] [--snapshot ID] list | extract OUT';

class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}
const damage = (message) => new Failure(4, message);

async function main() {
  const order = parseOrder();
  await ready;
  const repository = openRepository(order);
  const snapshot = openSnapshot(repository, order.snapshot);
  if (order.command === 'list') list(snapshot);
  else extract(repository, snapshot, order.out);
}

function parseOrder() {
  const options = {
    'key-file': { type: 'string' },
    instance: { type: 'string' },
    snapshot: { type: 'string' },
  };
  let parsed;
  try {
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new Failure(2, `${error.message}\n${usage}`);
  }
  const [folder, command, out, ...more] = parsed.positionals;
  const { 'key-file': keyFile, instance = 'main', snapshot } = parsed.values;
  const isWhole = command === 'list' ? out === undefined : command === 'extract' && out !== undefined;
  if (folder === undefined || keyFile === undefined || !isWhole || more.length > 0)
    throw new Failure(2, usage);
  return { folder, command, out, keyFile, instance, snapshot };
}

// --- keys ---

function blake2b(bytes, key, ...parts) {
  const message = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.from(sodium.crypto_generichash(bytes, message, key));
}

function decrypt(key, nonce, sealed) {
  try {
    return Buffer.from(sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, sealed, null, nonce, key));
  } catch {
    return undefined; // not authentic
  }
}

const keyIdOf = (key) => blake2b(16, key, 'varve1 key id').toString('hex');

function openRepository({ folder, keyFile, instance }) {
  const own = readJson(join(folder, 'varve.json'));
  if (own.format !== 1 || !Array.isArray(own.clusters))
    throw new Failure(
      10,
      `${folder}: expected a repository of format 1, got format ${own.format} of something`,
    );
  const names = fs.readdirSync(join(folder, 'keys'));
  const root = openRoot(join(folder, 'keys'), names, {
    repository: own.repository,
    secret: readKeyFile(keyFile),
  });
  const numbers = names.map((name) => Number(/^keyring\.([1-9][0-9]*)$/.exec(name)?.[1] ?? 0));
  const number = Math.max(...numbers);
  if (number === 0) throw damage(`${folder}/keys: there is no keyring`);
  const repository = { folder, instance, id: Buffer.from(own.repository.replaceAll('-', ''), 'hex') };
  const identity = Buffer.concat([identityStart({ ...repository, instance: '' }), u32(number)]);
  const sealed = fs.readFileSync(join(folder, 'keys', `keyring.${number}`));
  const keyring = JSON.parse(
    openObject(sealed, { kind: 4, identity, keys: keysById([root]), name: 'the keyring' }),
  );
  const keys = keysById(keyring.keys.map(({ key }) => Buffer.from(key, 'hex')));
  return { ...repository, uuid: own.repository, keys };
}

function readJson(path) {
  let text;
  try {
    text = fs.readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure(10, `there is no repository here: ${error.message}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damage(`${path}: ${error.message}`);
  }
}

function keysById(keys) {
  return new Map(keys.map((key) => [keyIdOf(key), key]));
}

/** 32 bytes, raw or as text in hexadecimal or base64. */
function readKeyFile(path) {
  const bytes = fs.readFileSync(path);
  if (bytes.length === 32) return bytes;
  const text = bytes.toString('latin1').trim();
  const key = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
  if (key.length !== 32) throw new Failure(2, `${path}: expected a key of 32 bytes, raw or as base64 or hex`);
  return key;
}

function openRoot(folder, names, { repository, secret }) {
  const slots = names.filter((name) => name.endsWith('.json') && !name.startsWith('.'));
  const bad = [];
  for (const file of slots) {
    const text = fs.readFileSync(join(folder, file), 'latin1');
    const before = (member) => Buffer.from(text.slice(0, text.lastIndexOf(`,"${member}"`)), 'latin1');
    let slot;
    try {
      slot = JSON.parse(text);
    } catch {
      slot = {};
    }
    const checksum = blake2b(32, null, 'varve1 slot checksum', before('checksum')).toString('hex');
    if (slot.checksum !== checksum || slot.repository !== repository || `${slot.slot}.json` !== file) {
      bad.push(file);
      continue;
    }
    if (slot.kind !== 'key-file') continue;
    const stretched = blake2b(32, secret, 'varve1 key file', Buffer.from(slot.salt, 'hex'));
    const slotKey = blake2b(32, stretched, 'varve1 slot', before('box'));
    const root = decrypt(slotKey, Buffer.alloc(12), Buffer.from(slot.box, 'hex'));
    if (root === undefined) continue;
    if (keyIdOf(root) !== slot.root) throw damage(`slot ${slot.slot}: it holds another key than it says`);
    return root;
  }
  if (bad.length > 0) throw damage(`no slot opens, and these are damaged or foreign: ${bad.join(', ')}`);
  const why = 'passphrases need Argon2, which libsodium-wrappers does not have';
  throw new Failure(12, `the key file opens none of the slots: ${slots.join(', ')} (${why})`);
}

// --- sealed objects ---

const headBytes = 96;
const blockBytes = 2 ** 20;

function openHead(head, object) {
  const objectKey = objectKeyOf(head, object);
  if (objectKey !== undefined) return objectKey;
  throw damage(`${object.name}: it is another object, or its head is damaged`);
}

/** Undefined where the object of this head is another one. */
function objectKeyOf(head, { kind, identity, keys, name }) {
  if (head.length < headBytes) throw damage(`${name}: truncated`);
  if (head.toString('latin1', 0, 8) !== 'VARVESO1') throw damage(`${name}: it is no sealed object`);
  const expected = Buffer.from([1, kind, 1, 20, 0, 0, 0, 0]);
  if (!head.subarray(8, 16).equals(expected))
    throw damage(`${name}: it is of another kind, or of a newer format`);
  const key = keys.get(head.toString('hex', 16, 32));
  if (key === undefined) throw damage(`${name}: its key is not in the keyring`);
  const length = Buffer.from([identity.length >> 8, identity.length & 255]);
  const objectKey = blake2b(32, key, 'varve1 object', head.subarray(0, 64), length, identity);
  const commit = blake2b(32, objectKey, 'varve1 commit');
  return commit.equals(head.subarray(64, 96)) ? objectKey : undefined;
}

/** `sealed` is what stands behind the length. */
function openBlock(objectKey, sealed, { number, last, name }) {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(number, 5, 6);
  nonce[11] = last ? 1 : 0;
  const frame = decrypt(objectKey, nonce, sealed);
  if (frame === undefined)
    throw damage(`${name}: block ${number} is damaged, or the object does not end where it should`);
  const raw = zstdDecompressSync(frame, { maxOutputLength: blockBytes });
  const isShort = last ? raw.length === 0 && number > 0 : raw.length < blockBytes;
  if (isShort) throw damage(`${name}: block ${number} holds only ${raw.length} bytes`);
  return raw;
}

function openObject(sealed, object) {
  const objectKey = openHead(sealed.subarray(0, headBytes), object);
  const raw = [];
  for (let position = headBytes, number = 0; number === 0 || position < sealed.length; number += 1) {
    if (position + 4 > sealed.length) throw damage(`${object.name}: truncated`);
    const end = position + 4 + sealed.readUInt32BE(position);
    if (end > sealed.length) throw damage(`${object.name}: truncated`);
    const last = end === sealed.length;
    raw.push(openBlock(objectKey, sealed.subarray(position + 4, end), { number, last, name: object.name }));
    position = end;
  }
  return Buffer.concat(raw);
}

// --- identities ---

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function short(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function long(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

function identityStart({ id, instance }) {
  return Buffer.concat([id, short(instance)]);
}

function identityOfSegment(repository, { topicId, topic, partition, base, next }) {
  const of = [Buffer.from(topicId, 'base64url'), long(topic), u32(partition), u64(base), u64(next)];
  return Buffer.concat([identityStart(repository), ...of]);
}

// --- snapshots ---

const seqsTriedMax = 1_000_000;

function openSnapshot(repository, wanted) {
  const { folder, instance, keys } = repository;
  const snapshots = join(folder, instance, 'snapshots');
  if (!fs.existsSync(snapshots)) throw new Failure(10, `${snapshots}: there is no such folder`);
  const id = wanted ?? newestOf(snapshots);
  const path = join(snapshots, id);
  if (!fs.existsSync(path)) throw new Failure(15, `${path}: there is no such snapshot`);
  const sealed = fs.readFileSync(join(path, 'manifest'));
  const start = Buffer.concat([identityStart(repository), short(id)]);
  const object = (seq) => {
    const identity = Buffer.concat([start, u64(seq)]);
    return { kind: 3, identity, keys, name: `the manifest of ${id}` };
  };
  const seq = findSeq(path, sealed.subarray(0, headBytes), object);
  const manifest = JSON.parse(openObject(sealed, object(seq)));
  const isOwn = manifest.id === id && manifest.seq === seq && manifest.repository === repository.uuid;
  if (manifest.format !== 1 || !isOwn)
    throw damage(`the manifest of ${id} is that of another snapshot or format`);
  const segments = manifest.packs.flatMap((pack) => readIndex(repository, path, pack));
  return { manifest, path, segments };
}

function newestOf(snapshots) {
  const ids = fs.readdirSync(snapshots).filter((name) => /^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}$/.test(name));
  const newest = ids.toSorted().at(-1);
  if (newest === undefined) throw new Failure(15, `${snapshots}: there is no snapshot`);
  return newest;
}

/** It is at least the highest in the names of the packs; those that snapshots share are named in the sums. */
function findSeq(path, head, object) {
  const months = fs.readdirSync(path).filter((name) => /^[0-9]{4}-[0-9]{2}$/.test(name));
  const packs = months.flatMap((month) => fs.readdirSync(join(path, month)));
  const sums = fs.readFileSync(join(path, 'SHA256SUMS'), 'utf8');
  const named = [...packs, ...sums.split('\n')].map((name) => /([0-9]{10})-[0-9]+\.tar$/.exec(name)?.[1]);
  const least = Math.max(1, ...named.map((seq) => Number(seq ?? 1)));
  for (let seq = least; seq < least + seqsTriedMax; seq += 1) {
    if (objectKeyOf(head, object(seq)) !== undefined) return seq;
  }
  throw damage(`${path}: the manifest is that of another snapshot, or damaged`);
}

function readIndex(repository, path, pack) {
  const at = join(path, pack.shared ? '../../packs' : '', pack.path);
  const file = fs.openSync(at, 'r');
  try {
    const { size } = fs.fstatSync(file);
    if (size !== pack.bytes) throw damage(`${pack.path}: expected ${pack.bytes} bytes, got ${size}`);
    const identity = Buffer.concat([identityStart(repository), long(pack.path)]);
    const sealed = readAt(file, pack.index.position, pack.index.bytes);
    const name = `the index of ${pack.path}`;
    const index = JSON.parse(openObject(sealed, { kind: 2, identity, keys: repository.keys, name }));
    if (index.pack !== pack.path) throw damage(`${name}: it is that of ${index.pack}`);
    return index.segments.map((segment) => ({ ...segment, pack: pack.path, file: at }));
  } finally {
    fs.closeSync(file);
  }
}

function readAt(file, position, length) {
  const bytes = Buffer.alloc(length);
  for (let filled = 0; filled < length;) {
    const got = fs.readSync(file, bytes, filled, length - filled, position + filled);
    if (got === 0) throw damage('a pack ends too early');
    filled += got;
  }
  return bytes;
}

// --- list ---

function list({ manifest, segments }) {
  const { id, seq, instance, cluster, takenMs, packs } = manifest;
  print(
    `snapshot ${id}  seq ${seq}  instance ${instance}  cluster ${cluster}  taken ${timeText(takenMs)}  packs ${packs.length}`,
  );
  for (const { topic, topicId, partitions } of manifest.incarnations) {
    print(`topic ${topic}  id ${topicId}`);
    for (const row of partitions) {
      const { partition, coverage, sealed, records } = row;
      print(
        `  partition ${partition}  covered ${rangesText(coverage.ranges)}  gaps ${rangesText(coverage.gaps)}  records ${records}`,
      );
      for (const [branch, from, to] of sealed) print(`    branch ${branch}  sealed [${from}, ${to})`);
      for (const segment of segments.filter(
        (one) => one.topicId === topicId && one.partition === partition,
      )) {
        const { next, rawBytes, pack, firstMs, lastMs } = segment;
        const times = `${timeText(firstMs)} to ${timeText(lastMs)}`;
        print(
          `    ${fileName(segment)}  next ${next}  records ${segment.records}  bytes ${rawBytes}  ${times}  in ${pack}`,
        );
      }
    }
  }
}

function rangesText(ranges) {
  return ranges.length === 0 ? 'none' : ranges.map(([from, to]) => `[${from}, ${to})`).join(' ');
}

function timeText(ms) {
  const time = new Date(Number(ms));
  return Number.isNaN(time.getTime()) ? String(ms) : time.toISOString();
}

function fileName({ base, branch }) {
  return `${base.padStart(20, '0')}${branch === 0 ? '' : `.e${branch}`}.log`;
}

// --- extract ---

function extract(repository, { segments }, out) {
  const chosen = new Map();
  for (const segment of segments) {
    const { topic, topicId, partition } = segment;
    if (
      !/^[a-zA-Z0-9._-]{1,249}$/.test(topic) ||
      !/^[A-Za-z0-9_-]{22}$/.test(topicId) ||
      /^\.\.?$/.test(topic)
    )
      throw damage(`the index of ${segment.pack} names a topic that Kafka would not`);
    const target = join(out, topic, topicId, String(partition), fileName(segment));
    const known = chosen.get(target);
    if (known === undefined || BigInt(segment.next) > BigInt(known.next)) chosen.set(target, segment);
  }
  fs.mkdirSync(out, { recursive: true });
  if (fs.readdirSync(out).length > 0) throw new Failure(18, `${out}: expected an empty folder`);
  let bytes = 0;
  for (const [target, segment] of chosen) {
    fs.mkdirSync(join(target, '..'), { recursive: true });
    bytes += extractSegment(repository, segment, { from: segment.file, target });
  }
  print(`extracted ${chosen.size} segments, ${bytes} bytes, to ${out}`);
}

function extractSegment(repository, segment, { from, target }) {
  const name = `segment ${segment.base} of ${segment.topic}/${segment.partition}`;
  const source = fs.openSync(from, 'r');
  const file = fs.openSync(target, 'wx');
  try {
    const { position: start, blocks } = segment;
    const identity = identityOfSegment(repository, segment);
    const objectKey = openHead(readAt(source, start, headBytes), {
      kind: 1,
      identity,
      keys: repository.keys,
      name,
    });
    let position = start + headBytes;
    let written = 0;
    for (const [number, [sealedBytes]] of blocks.entries()) {
      const block = readAt(source, position, 4 + sealedBytes);
      if (block.readUInt32BE(0) !== sealedBytes)
        throw damage(`${name}: block ${number} has another length than the index says`);
      const last = number === blocks.length - 1;
      const raw = openBlock(objectKey, block.subarray(4), { number, last, name });
      for (let done = 0; done < raw.length;) done += fs.writeSync(file, raw, done);
      written += raw.length;
      position += block.length;
    }
    if (position !== start + segment.sealedBytes || written !== segment.rawBytes)
      throw damage(`${name}: it has another length than the index says`);
    fs.fsyncSync(file);
    return written;
  } finally {
    fs.closeSync(source);
    fs.closeSync(file);
  }
}

function print(line) {
  process.stdout.write(`${line}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`unseal: ${error.message}\n`);
  process.exitCode = error instanceof Failure ? error.status : 1;
}

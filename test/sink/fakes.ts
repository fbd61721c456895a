import type { Socket } from 'node:net';
import { Reader } from '../../src/kafka/reader.ts';
import { Writer } from '../../src/kafka/writer.ts';
import { apis } from '../kafka/fake-broker.ts';
import { encodeBatch, record } from '../log/encoder.ts';
import { apiVersionsAnswer, frame, headerOf, int32, Peer } from '../kafka/given.ts';

export const topic = 't';
export const topicId = Buffer.from('0123456789abcdef').toString('base64url');

/** A row of an answer to Fetch. */
export interface Row {
  readonly partition: number;
  readonly records: Buffer;
  readonly topicId?: string;
  readonly errorCode?: number;
  readonly diverging?: { readonly epoch: number; readonly endOffset: bigint };
}

export interface FetchAsked {
  /** In the order of the request. */
  readonly partitions: readonly { readonly partition: number; readonly offset: bigint }[];
  readonly correlationId: Buffer;
  readonly socket: Socket;
  /** The request's number, from 0. */
  readonly turn: number;
}

export interface Behaviour {
  /** Answers, or leaves the request waiting, as a broker does that has nothing new. */
  readonly fetch: (asked: FetchAsked) => void;
  readonly metadata?: (correlationId: Buffer, peers: readonly Peer[]) => Buffer;
  readonly earliest?: bigint;
}

export function batch(baseOffset: bigint, more: Parameters<typeof encodeBatch>[0] = {}): Buffer {
  return encodeBatch({
    baseOffset,
    leaderEpoch: 5,
    records: [record({ value: Buffer.from('value') })],
    ...more,
  });
}

/** A broker whose partition gets one more record with each request, until it has as many as the test says. */
export class Honest implements Behaviour {
  #records: bigint;
  #waiting: FetchAsked | undefined;

  constructor(records: bigint) {
    this.#records = records;
  }

  readonly fetch = (asked: FetchAsked): void => {
    const [row] = asked.partitions;
    if (row === undefined || row.offset >= this.#records) this.#waiting = asked;
    else asked.socket.write(fetchOf(asked.correlationId, [{ ...row, records: batch(row.offset) }]));
  };

  grow(records: bigint): void {
    this.#records += records;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) this.fetch(waiting);
  }
}

/** Brokers 1, 2, … of one cluster; partition p of the one topic is led by broker p + 1. */
export class Fakes implements AsyncDisposable {
  readonly peers: Peer[] = [];

  static async of(behaviours: readonly Behaviour[]): Promise<Fakes> {
    const fakes = new Fakes();
    for (const behaviour of behaviours) fakes.peers.push(await fakes.#start(behaviour));
    return fakes;
  }

  /** Of the first: it is the one that is asked for metadata. */
  get bootstrap(): string {
    return this.addressOf(1);
  }

  addressOf(id: number): string {
    return this.peers[id - 1]?.address ?? '';
  }

  async #start({ fetch, metadata, earliest = 0n }: Behaviour): Promise<Peer> {
    let turn = 0;
    return Peer.start((request, socket) => {
      const { apiKey, correlationId: number } = headerOf(request);
      const correlationId = int32(number);
      if (apiKey === apis.fetch) {
        fetch({ partitions: readFetch(request), correlationId, socket, turn });
        turn += 1;
      } else if (apiKey === apis.metadata) socket.write((metadata ?? metadataOf)(correlationId, this.peers));
      else if (apiKey === 2) socket.write(offsetsOf(correlationId, { request, earliest }));
      else if (apiKey === 23) socket.write(epochEndsOf(correlationId, request));
      else if (apiKey === 18) socket.write(apiVersionsAnswer(number));
      // Whoever asks for the group's coordinator is refused: it is commits that are done without.
      else if (apiKey === apis.findCoordinator) socket.write(noCoordinator(correlationId));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.peers) await peer[Symbol.asyncDispose]();
  }
}

/** The request of the flexible kind, behind its header. */
function bodyOf(request: Buffer): Reader {
  const at = 10 + Math.max(0, request.readInt16BE(8));
  const from = new Reader(request, { what: 'request', at });
  from.tags();
  return from;
}

function readFetch(request: Buffer): { partition: number; offset: bigint }[] {
  const from = bodyOf(request);
  for (let skipped = 0; skipped < 4; skipped += 1) from.int32();
  from.int8();
  from.int64();
  const rows: { partition: number; offset: bigint }[] = [];
  from.array(1, () => {
    from.uuid();
    from.array(1, () => {
      const partition = from.int32();
      from.int32();
      rows.push({ partition, offset: from.int64() });
      from.int64();
      from.int64();
      from.tags();
    });
    from.tags();
  });
  return rows;
}

function answer(correlationId: Buffer, write: (to: Writer) => void): Buffer {
  const to = new Writer();
  write(to);
  return frame(correlationId, '00 00000000', ...to.pieces());
}

export function fetchOf(correlationId: Buffer, rows: readonly Row[]): Buffer {
  return answer(correlationId, (to) => {
    to.int16(0).int32(0);
    to.array(rows, (row) => {
      to.uuid(row.topicId ?? topicId);
      to.array([row], ({ partition, records, errorCode = 0, diverging }) => {
        to.int32(partition).int16(errorCode).int64(1000n).int64(1000n).int64(0n);
        to.array([], () => undefined).int32(-1);
        to.uvarint(records.length + 1).raw(records);
        if (diverging === undefined) to.noTags();
        else
          to.raw(Buffer.of(1, 0, 13))
            .int32(diverging.epoch)
            .int64(diverging.endOffset)
            .noTags();
      });
      to.noTags();
    });
    to.noTags();
  });
}

export function metadataOf(
  correlationId: Buffer,
  peers: readonly Peer[],
  o: { ids?: readonly number[]; leaders?: readonly number[]; partitions?: number } = {},
): Buffer {
  const ids = o.ids ?? peers.map((_peer, index) => index + 1);
  const leaders = o.leaders ?? ids;
  const partitions = Array.from({ length: o.partitions ?? peers.length }, (_, index) => index);
  return answer(correlationId, (to) => {
    to.array(peers, (peer) => {
      to.int32(ids[peers.indexOf(peer)] ?? 0)
        .string('127.0.0.1')
        .int32(peer.port)
        .nullableString(undefined)
        .noTags();
    });
    to.string('c1').int32(1);
    to.array([topic], (name) => {
      to.int16(0).string(name).uuid(topicId).bool(false);
      to.array(partitions, (partition) => {
        to.int16(0)
          .int32(partition)
          .int32(leaders[partition] ?? 1)
          .int32(5);
        to.array([1], (id) => to.int32(id))
          .array([], () => undefined)
          .array([], () => undefined);
        to.noTags();
      });
      to.int32(0).noTags();
    });
    to.noTags();
  });
}

function offsetsOf(correlationId: Buffer, o: { request: Buffer; earliest: bigint }): Buffer {
  const from = bodyOf(o.request);
  from.int32();
  from.int8();
  const partitions: number[] = [];
  from.array(1, () => {
    from.string();
    from.array(1, () => {
      partitions.push(from.int32());
      from.int32();
      from.int64();
      from.tags();
    });
    from.tags();
  });
  return answer(correlationId, (to) => {
    to.array([topic], (name) => {
      to.string(name);
      to.array(partitions, (partition) => {
        to.int32(partition).int16(0).int64(-1n).int64(o.earliest).int32(5).noTags();
      });
      to.noTags();
    });
    to.noTags();
  });
}

/** Whatever epoch is asked for, it goes as far as there is something. */
function epochEndsOf(correlationId: Buffer, request: Buffer): Buffer {
  const from = bodyOf(request);
  from.int32();
  const rows: { partition: number; epoch: number }[] = [];
  from.array(1, () => {
    from.string();
    from.array(1, () => {
      const partition = from.int32();
      from.int32();
      rows.push({ partition, epoch: from.int32() });
      from.tags();
    });
    from.tags();
  });
  return answer(correlationId, (to) => {
    to.array([topic], (name) => {
      to.string(name);
      to.array(rows, ({ partition, epoch }) =>
        to.int16(0).int32(partition).int32(epoch).int64(1000n).noTags(),
      );
      to.noTags();
    });
    to.noTags();
  });
}

/** FindCoordinator of the old kind: the group may not be read. */
function noCoordinator(correlationId: Buffer): Buffer {
  return frame(correlationId, '00000000 001e ffff ffffffff 0000 ffffffff');
}

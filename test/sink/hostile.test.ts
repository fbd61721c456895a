import { expect, test } from 'vitest';
import type { SinkEvent, SinkOptions } from '../../src/sink/sink.ts';
import { int32 } from '../kafka/given.ts';
import { Place } from './direct.ts';
import {
  batch,
  Fakes,
  fetchOf,
  Honest,
  metadataOf,
  topic,
  type Behaviour,
  type FetchAsked,
  type Row,
} from './fakes.ts';
import { until } from './processes.ts';

function answering(rows: (asked: FetchAsked) => readonly Row[]): Behaviour {
  return { fetch: (asked) => asked.socket.write(fetchOf(asked.correlationId, rows(asked))) };
}

function giving(records: (asked: FetchAsked) => Buffer): Behaviour {
  return answering((asked) => [{ partition: 1, records: records(asked) }]);
}

interface Seen {
  readonly events: readonly SinkEvent[];
  /** Where the hostile broker listens. */
  readonly address: string;
}

/** Reads from an honest broker beside a hostile one until `isTold`, and then a little more from the honest one. */
async function besides(
  hostile: Behaviour,
  isTold: (seen: Seen) => boolean,
  o: Partial<SinkOptions> & { requestTimeoutMs?: number } = {},
): Promise<Seen & { missing: readonly { message: string }[] }> {
  const honest = new Honest(3n);
  await using fakes = await Fakes.of([honest, hostile]);
  await using place = await Place.of(fakes, 'varve-fakes');
  await using life = await place.open(topic, o);
  const seen = { events: life.events, address: fakes.addressOf(2) };
  await until('the hostile broker is told of', async () => isTold(seen));
  honest.grow(3n);
  await until('the honest broker is read on', async () => life.sink.status.records >= 6);
  return { ...seen, missing: life.sink.missing };
}

function isLost(text: string) {
  return ({ events, address }: Seen): boolean =>
    events.some(
      (event) =>
        event.type === 'broker-lost' &&
        event.message.includes(text) &&
        (event.message.includes(address) || event.message.includes('broker 2')),
    );
}

function isStopped(text: string) {
  return ({ events }: Seen): boolean =>
    events.some(
      (event) => event.type === 'partition-stopped' && event.partition === 1 && event.message.includes(text),
    );
}

/** Behind the length, the number and the tags of the head. */
const throttleAt = 9;

const frames: readonly [what: string, told: string, bytes: (asked: FetchAsked) => Buffer][] = [
  ['a length below zero', 'the length of an answer', () => int32(-7)],
  ['a length of two gigabytes', 'the length of an answer', () => int32(2 ** 31 - 1)],
  ['the number of another request', 'got number', () => Buffer.concat([int32(8), int32(4711), int32(0)])],
  [
    'an answer that nobody asked for behind the right one',
    'got number',
    ({ correlationId }) =>
      Buffer.concat([fetchOf(correlationId, [{ partition: 1, records: batch(0n) }]), int32(4), int32(99)]),
  ],
  [
    'a count of four milliards',
    'malformed Fetch',
    ({ correlationId }) =>
      Buffer.concat([
        int32(4 + 12 + 5),
        correlationId,
        Buffer.alloc(11),
        Buffer.from('feffffff0f00', 'hex').subarray(0, 6),
      ]),
  ],
  [
    'a throttle of weeks',
    'a throttle of at most',
    ({ correlationId }) => {
      const bytes = fetchOf(correlationId, [{ partition: 1, records: batch(0n) }]);
      bytes.writeInt32BE(2 ** 31 - 1, throttleAt);
      return bytes;
    },
  ],
];

test.concurrent.for(frames)(
  'of a broker that answers with %s the connection is given up, by name',
  async ([, told, bytes]) => {
    await besides({ fetch: (asked) => asked.socket.write(bytes(asked)) }, isLost(told));
  },
);

test('half an answer and then the end is a lost connection', async () => {
  await besides(
    { fetch: ({ correlationId, socket }) => socket.end(fetchOf(correlationId, []).subarray(0, 11)) },
    isLost('closed by the broker'),
  );
});

function drip(socket: FetchAsked['socket']): void {
  const timer = setInterval(() => socket.write(Buffer.of(0)), 5);
  socket.once('close', () => clearInterval(timer));
}

test('an answer that trickles for ever is given up', async () => {
  await besides(
    {
      fetch({ correlationId, socket }) {
        socket.write(Buffer.concat([int32(1024 * 1024), correlationId]));
        drip(socket);
      },
    },
    isLost('times that long'),
    { requestTimeoutMs: 500 },
  );
});

const strays: readonly [what: string, told: string, rows: (asked: FetchAsked) => readonly Row[]][] = [
  ['a partition for which nobody asked', 'nobody had asked', () => [{ partition: 7, records: batch(0n) }]],
  [
    'a topic for which nobody asked',
    'nobody had asked',
    () => [{ partition: 1, records: batch(0n), topicId: Buffer.alloc(16, 9).toString('base64url') }],
  ],
  [
    'one partition twice',
    'for each of 1 partitions',
    () => [
      { partition: 1, records: batch(0n) },
      { partition: 1, records: batch(1n) },
    ],
  ],
  ['nothing at all', 'for each of 1 partitions', () => []],
  [
    'more partitions than there are',
    'at most 10000 elements',
    () => Array.from({ length: 10_001 }, () => ({ partition: 1, records: Buffer.alloc(0) })),
  ],
];

test.concurrent.for(strays)('an answer for %s is none', async ([, told, rows]) => {
  await besides(answering(rows), isLost(told));
});

test('an answer that a quota holds back holds nothing, and is no trouble', async () => {
  let turns = 0;
  const throttled = {
    fetch({ correlationId, socket, turn }: FetchAsked): void {
      turns = turn + 1;
      const empty = fetchOf(correlationId, []);
      empty.writeInt32BE(10, throttleAt);
      if (turn < 2) socket.write(empty);
    },
  };

  const { events } = await besides(throttled, () => turns > 2);

  expect(events.filter(({ type }) => type === 'broker-lost')).toEqual([]);
});

test('a broker that has nothing new, and says so at once for ever, is asked a few times a second', async () => {
  const beganMs = performance.now();
  let turns = 0;
  const hasty = answering(({ turn }) => {
    turns = turn + 1;
    return [{ partition: 1, records: Buffer.alloc(0) }];
  });

  const { events } = await besides(hasty, () => turns > 5);

  expect(performance.now() - beganMs).toBeGreaterThan(400);
  expect(events.filter(({ type }) => type === 'broker-lost')).toEqual([]);
});

test('a partition whose next batch is longer than any answer may be is stopped by name, and its neighbours are read on', async () => {
  const tooLong = 300 * 1024 * 1024;
  let records = 3n;
  const broker: Behaviour = {
    metadata: (id, peers) => metadataOf(id, peers, { partitions: 3 }),
    // Of the first partition that has something a broker gives a whole batch, and of the others what there is room for.
    fetch({ partitions, correlationId, socket }) {
      if (partitions[0]?.partition === 1) socket.write(int32(tooLong));
      else {
        const rows = partitions.map(({ partition, offset }) => ({
          partition,
          records: partition === 1 || offset >= records ? Buffer.alloc(0) : batch(offset),
        }));
        socket.write(fetchOf(correlationId, rows));
      }
    },
  };
  await using fakes = await Fakes.of([broker]);
  await using place = await Place.of(fakes, 'varve-fakes');
  await using life = await place.open(topic);
  const stopped = (): SinkEvent[] => life.events.filter(({ type }) => type === 'partition-stopped');

  await until('a partition is stopped', async () => stopped().length > 0);
  const lost = life.events.filter(({ type }) => type === 'broker-lost').length;
  records = 9n;
  await until('its neighbours are read on', async () => life.sink.status.records >= 18);

  expect(stopped()).toMatchObject([
    {
      partition: 1,
      reason: 'too large',
      message: expect.stringMatching(/at most 268435456 bytes, got 314572800/),
    },
  ]);
  expect(life.events.filter(({ type }) => type === 'broker-lost')).toHaveLength(lost);
});

function changed(bytes: Buffer, change: (bytes: Buffer) => void): Buffer {
  change(bytes);
  return bytes;
}

const sections: readonly [what: string, told: string, records: (asked: FetchAsked) => Buffer][] = [
  [
    'claims two gigabytes',
    'batch length',
    () => changed(batch(0n), (bytes) => bytes.writeInt32BE(2 ** 31 - 1, 8)),
  ],
  ['never comes whole', 'came in part only', () => batch(0n).subarray(0, -1)],
  ['never comes beyond its first bytes', 'came in part only', () => batch(0n).subarray(0, 5)],
  ['claims less than a head', 'batch length', () => changed(batch(0n), (bytes) => bytes.writeInt32BE(1, 8))],
  ['has another checksum', 'checksum', () => changed(batch(0n), (bytes) => bytes.writeInt32BE(1, 17))],
  [
    'counts more records than offsets',
    'number of records',
    () => batch(0n, { recordCount: 2 ** 31 - 1, lastOffsetDelta: 0 }),
  ],
  ['has an offset below zero', 'does not follow', () => batch(-5n)],
  ['goes back', 'does not follow', () => Buffer.concat([batch(0n), batch(7n), batch(3n)])],
  [
    'ends behind the last offset there is',
    'offsets of the batch',
    () => batch(2n ** 63n - 2n, { lastOffsetDelta: 5, recordCount: 1 }),
  ],
];

test.concurrent.for(sections)(
  'a partition whose batch %s is stopped, and no other',
  async ([, told, records]) => {
    await besides(giving(records), isStopped(told));
  },
);

test('a leader whose log parts from ours in no place is not believed', async () => {
  const diverging = { epoch: 9, endOffset: 2n ** 40n };
  await besides(
    answering(() => [{ partition: 1, records: Buffer.alloc(0), diverging }]),
    isStopped('parts from ours'),
  );
});

test('a log that begins below zero is not begun', async () => {
  const { missing } = await besides({ fetch: () => undefined, earliest: -5n }, () => true);

  expect(missing).toMatchObject([
    { partition: 1, message: expect.stringContaining('expected an offset, got -5') },
  ]);
});

type Metadata = NonNullable<Behaviour['metadata']>;
const ledFromElsewhere: Metadata = (id, peers) => metadataOf(id, peers, { leaders: [1, 77] });
const tooLarge: Metadata = (id, peers) => metadataOf(id, peers, { partitions: 500_001 });

test('a leader that is none of the brokers is no leader', async () => {
  const silent = { fetch: () => undefined };
  await using fakes = await Fakes.of([{ ...silent, metadata: ledFromElsewhere }, silent]);
  await using place = await Place.of(fakes, 'varve-fakes');
  await using life = await place.open(topic);

  expect(life.sink.missing).toMatchObject([
    { topic, partition: 1, message: "its leader 77 is none of the cluster's brokers" },
  ]);
});

test('a cluster of more partitions than there can be is refused before anything is made of it', async () => {
  await using fakes = await Fakes.of([{ fetch: () => undefined, metadata: tooLarge }]);
  await using place = await Place.of(fakes, 'varve-fakes');

  await expect(place.open(topic)).rejects.toThrow(
    /malformed Metadata response from .*: expected at most 500000 elements/,
  );
});

test('a broker that calls itself by another number each time is asked on one connection', async () => {
  let id = 1;
  const metadata: Metadata = (correlationId, peers) =>
    metadataOf(correlationId, peers, { ids: [(id += 1)], partitions: 1 });
  const notLeader = 6;
  const open = new Set<FetchAsked['socket']>();
  let asked = 0;
  const fetch = ({ correlationId, socket }: FetchAsked): void => {
    asked += 1;
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const row = { partition: 0, errorCode: notLeader, records: Buffer.alloc(0) };
    if (asked < 3) socket.write(fetchOf(correlationId, [row]));
  };
  await using fakes = await Fakes.of([{ fetch, metadata }]);
  await using place = await Place.of(fakes, 'varve-fakes');
  await using life = await place.open(topic);
  await until('it was asked under several numbers', async () => asked >= 3 && id > 3);

  await until('one connection is left', async () => open.size === 1);
  expect(life.sink.status.partitions).toBe(1);
});

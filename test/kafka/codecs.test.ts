import { describe, expect, test } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import { describeConfigsMessage } from '../../src/kafka/messages/describe-configs.ts';
import { fetchMessage } from '../../src/kafka/messages/fetch.ts';
import { findCoordinatorsMessage } from '../../src/kafka/messages/find-coordinators.ts';
import { listGroupsMessage } from '../../src/kafka/messages/list-groups.ts';
import { listOffsetsMessage } from '../../src/kafka/messages/list-offsets.ts';
import type { Message } from '../../src/kafka/messages/message.ts';
import { metadataMessage } from '../../src/kafka/messages/metadata.ts';
import { offsetCommitMessage } from '../../src/kafka/messages/offset-commit.ts';
import { offsetFetchMessage } from '../../src/kafka/messages/offset-fetch.ts';
import { offsetForLeaderEpochMessage } from '../../src/kafka/messages/offset-for-leader-epoch.ts';
import { Reader } from '../../src/kafka/reader.ts';
import { Writer } from '../../src/kafka/writer.ts';
import { hex } from './given.ts';

function written<Q, A>(message: Message<Q, A>, request: Q): string {
  const to = new Writer(1);
  message.write(request, to);
  return to.finish().toString('hex');
}

function read<Q, A>(message: Message<Q, A>, bytes: Buffer): A {
  const from = new Reader(bytes, { what: message.name });
  const answer = message.read(from);
  from.end();
  return answer;
}

const id = 'AQIDBAUGBwgJCgsMDQ4PEA';
const idHex = '0102030405060708090a0b0c0d0e0f10';
const plain = (text: string): string => text.replaceAll(/\s/g, '');

/** Each response holds every field at least once, and an unknown tagged field (7, of two bytes) to be skipped. */
const cases: readonly { name: string; answer: string; read: (bytes: Buffer) => unknown; value: unknown }[] = [
  {
    name: 'Metadata',
    answer: `03 00000001 0268 00002384 027200  00000002 0269 00002385 00 0107026162
      026300000001 02 0000 0274 ${idHex} 01
        02 0005 00000003 ffffffff 00000004 03 00000001 00000002 02 00000001 02 00000002 00
        80000000 00  00`,
    read: (bytes) => read(metadataMessage, bytes),
    value: {
      clusterId: 'c',
      controllerId: 1,
      brokers: [
        { id: 1, host: 'h', port: 9092, rack: 'r' },
        { id: 2, host: 'i', port: 9093, rack: undefined },
      ],
      topics: [
        {
          errorCode: 0,
          name: 't',
          topicId: id,
          isInternal: true,
          partitions: [
            {
              errorCode: 5,
              partition: 3,
              leaderId: -1,
              leaderEpoch: 4,
              replicas: [1, 2],
              isr: [1],
              offline: [2],
            },
          ],
        },
      ],
    },
  },
  {
    name: 'Fetch',
    answer: `0000 00000011 02 ${idHex}
      03 00000000 0000 7fffffffffffffff 0000000000000009 0000000000000001
           02 0000000000000fff 0000000000000002 00 ffffffff 04 aabbcc 00
         00000001 0001 ffffffffffffffff ffffffffffffffff ffffffffffffffff 00 00000005 00
           02 00 0d 00000003 0000000000000007 00  07 02 6162
      00 00`,
    read: (bytes) => read(fetchMessage, bytes),
    value: {
      errorCode: 0,
      sessionId: 17,
      partitions: [
        {
          topicId: id,
          partition: 0,
          errorCode: 0,
          highWatermark: 9223372036854775807n,
          lastStableOffset: 9n,
          logStartOffset: 1n,
          aborted: [{ producerId: 4095n, firstOffset: 2n }],
          preferredReadReplica: -1,
          records: hex('aabbcc'),
        },
        {
          topicId: id,
          partition: 1,
          errorCode: 1,
          highWatermark: -1n,
          lastStableOffset: -1n,
          logStartOffset: -1n,
          aborted: [],
          preferredReadReplica: 5,
          records: Buffer.alloc(0),
          diverging: { epoch: 3, endOffset: 7n },
        },
      ],
    },
  },
  {
    name: 'ListOffsets',
    answer: `02 0274 02 00000003 004b 00000000000000ff 0000000000000007 00000002 0107026162 00 00`,
    read: (bytes) => read(listOffsetsMessage, bytes),
    value: [{ topic: 't', partition: 3, errorCode: 75, timestamp: 255n, offset: 7n, leaderEpoch: 2 }],
  },
  {
    name: 'OffsetForLeaderEpoch',
    answer: `02 0274 02 0000 00000003 00000002 0000000000000007 0107026162 00 00`,
    read: (bytes) => read(offsetForLeaderEpochMessage, bytes),
    value: [{ topic: 't', errorCode: 0, partition: 3, epoch: 2, endOffset: 7n }],
  },
  {
    name: 'OffsetFetch',
    answer: `03 0267 02 0274 03 00000003 0000000000000007 00000002 03 c3bc 0000 0107026162
      00000004 ffffffffffffffff ffffffff 00 0003 00 00 0019 00
      0268 01 000f 00 0107026162`,
    read: (bytes) => read(offsetFetchMessage, bytes),
    value: [
      {
        group: 'g',
        errorCode: 25,
        offsets: [
          { topic: 't', partition: 3, offset: 7n, leaderEpoch: 2, metadata: 'ü', errorCode: 0 },
          { topic: 't', partition: 4, offset: -1n, leaderEpoch: -1, metadata: '', errorCode: 3 },
        ],
      },
      { group: 'h', errorCode: 15, offsets: [] },
    ],
  },
  {
    name: 'ListGroups',
    answer: `000e 03 0267 0263 0253 00 0268 01 0245 0107026162 00`,
    read: (bytes) => read(listGroupsMessage, bytes),
    value: {
      errorCode: 14,
      groups: [
        { group: 'g', protocolType: 'c', state: 'S' },
        { group: 'h', protocolType: '', state: 'E' },
      ],
    },
  },
  {
    name: 'FindCoordinator',
    answer: `03 0267 00000001 0261 00002384 0000 00 00 0268 ffffffff 01 ffffffff 000f 0278 0107026162 00`,
    read: (bytes) => read(findCoordinatorsMessage, bytes),
    value: [
      { group: 'g', host: 'a', port: 9092, errorCode: 0 },
      { group: 'h', host: '', port: -1, errorCode: 15 },
    ],
  },
  {
    name: 'DescribeConfigs',
    // Of topic t: one set on it, one that is the default, one without a value, one that is a secret with its value.
    answer: `03 0000 00 02 0274 05
        0261 0231 00 01 00 02 0278 0231 05 00 02 0264 00
        0262 0232 00 05 00 01 02 00 00
        0263 00 00 01 00 01 02 00 0107026162
        0264 0233 00 01 01 01 02 00 00
      00
      0003 026e 02 0275 01 0107026162 00`,
    read: (bytes) => read(describeConfigsMessage, bytes),
    value: [
      {
        topic: 't',
        errorCode: 0,
        configs: [
          { name: 'a', value: '1', isOwn: true },
          { name: 'b', value: '2', isOwn: false },
        ],
      },
      { topic: 'u', errorCode: 3, configs: [] },
    ],
  },
  {
    name: 'OffsetCommit',
    answer: `02 0274 02 00000003 0019 0107026162 00 00`,
    read: (bytes) => read(offsetCommitMessage, bytes),
    value: [{ topic: 't', partition: 3, errorCode: 25 }],
  },
];

describe.each(cases)('a $name response', ({ answer, read: readAnswer, value }) => {
  const bytes = hex(answer);

  test('is read, every field of it', () => {
    expect(readAnswer(bytes)).toEqual(value);
  });

  test('cut at any byte is a clear error', () => {
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => readAnswer(bytes.subarray(0, length)), `cut at ${length}`).toThrow(VarveError);
    }
  });

  test('with a byte too many is a clear error', () => {
    expect(() => readAnswer(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(/expected the end/);
  });

  test('with any byte changed is read or a clear error, and never much memory', () => {
    for (let at = 0; at < bytes.length; at += 1) {
      for (const byte of [0x00, 0x01, 0x7f, 0xff]) {
        const changed = Buffer.from(bytes);
        changed[at] = byte;
        try {
          readAnswer(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(VarveError);
        }
      }
    }
  });
});

test('a count that promises more than the response can hold is refused before anything is read for it', () => {
  let elements = 0;
  const from = new Reader(hex('ffffffff0f 00000001'), { what: 'test' });

  expect(() =>
    from.array(4, () => {
      elements += 1;
    }),
  ).toThrow(/an array of 4294967294 elements in 4 bytes/);
  expect(elements).toBe(0);
});

test('a length that promises more than the response holds is refused', () => {
  expect(() => new Reader(hex('ffffffff0f 00'), { what: 'test' }).nullableBytes()).toThrow(
    /4294967294 bytes/,
  );
  expect(() => new Reader(hex('ffffffffff 01'), { what: 'test' }).uvarint()).toThrow(/at most 32 bits/);
  expect(() => new Reader(hex('01 00 7f 00'), { what: 'test' }).tags()).toThrow(
    /127 bytes of a tagged field/,
  );
});

test('a tagged field that is longer inside than it says is refused', () => {
  const from = new Reader(hex('01 00 02 00000001'), { what: 'test' });

  expect(() =>
    from.tags(() => {
      from.int32();
      return true;
    }),
  ).toThrow(/tagged field 0 to end at byte 5/);
});

const rowHex = (partition: string): string =>
  `${partition} 00000005 0000000000000009 00000004 ffffffffffffffff 00000100 00`;

describe('a request', () => {
  test('for the metadata of all topics, and of named ones, never creates a topic', () => {
    expect(written(metadataMessage, { topics: undefined })).toBe(plain('00 00 00 00'));
    expect(written(metadataMessage, { topics: ['t'] })).toBe(
      plain(`02 ${'00'.repeat(16)} 02 74 00 00 00 00`),
    );
  });

  test('to fetch keeps the order of its partitions, with neighbours of one topic in one entry', () => {
    const other = Buffer.from('101112131415161718191a1b1c1d1e1e', 'hex').toString('base64url');
    const row = { leaderEpoch: 5, offset: 9n, lastEpoch: 4, maxBytes: 256 };
    const partitions = [
      { topicId: id, partition: 1, ...row },
      { topicId: id, partition: 0, ...row },
      { topicId: other, partition: 2, ...row },
      { topicId: id, partition: 3, ...row },
    ];

    const forgotten = [{ topicId: other, partition: 4, ...row }];
    const session = { id: 17, epoch: 3, partitions, forgotten };
    const request = { maxWaitMs: 500, minBytes: 1, maxBytes: 1024, rackId: 'r', session };

    expect(written(fetchMessage, request)).toBe(
      plain(`ffffffff 000001f4 00000001 00000400 01 00000011 00000003 04
        ${idHex} 03 ${rowHex('00000001')} ${rowHex('00000000')} 00
        101112131415161718191a1b1c1d1e1e 02 ${rowHex('00000002')} 00
        ${idHex} 02 ${rowHex('00000003')} 00
        02 101112131415161718191a1b1c1d1e1e 02 00000004 00 0272 00`),
    );
  });

  test('for offsets asks for one topic once, with the isolation that is wanted', () => {
    const question = { leaderId: 1, leaderEpoch: 2, timestamp: -1n };
    const questions = [
      { topic: 't', partition: 0, ...question },
      { topic: 't', partition: 1, ...question },
    ];
    const rows = '00000000 00000002 ffffffffffffffff 00  00000001 00000002 ffffffffffffffff 00';

    expect(written(listOffsetsMessage, { isolation: 'read_committed', questions })).toBe(
      plain(`ffffffff 01 02 0274 03 ${rows} 00 00`),
    );
    expect(written(listOffsetsMessage, { isolation: 'read_uncommitted', questions: [] })).toBe(
      plain('ffffffff 00 01 00'),
    );
  });

  test('for the end of an epoch carries both epochs', () => {
    const question = { topic: 't', partition: 3, leaderId: 1, leaderEpoch: 2, epoch: 1 };

    expect(written(offsetForLeaderEpochMessage, [question])).toBe(
      plain('ffffffff 02 0274 02 00000003 00000002 00000001 00 00 00'),
    );
  });

  test('for committed offsets asks for all topics of each group', () => {
    expect(written(offsetFetchMessage, ['g', 'h'])).toBe(plain('03 0267 00 00 0268 00 00 00 00'));
  });

  test('for groups asks for those of every state', () => {
    expect(written(listGroupsMessage, undefined)).toBe(plain('01 00'));
  });

  test('for coordinators asks for those of groups, all at once', () => {
    expect(written(findCoordinatorsMessage, ['g', 'h'])).toBe(plain('00 03 0267 0268 00'));
  });

  test('for configurations asks for those of topics, without synonyms and documentation', () => {
    expect(written(describeConfigsMessage, ['t', 'u'])).toBe(
      plain('03 02 0274 00 00 02 0275 00 00 00 00 00'),
    );
  });

  test('to commit is that of no member', () => {
    const rows = [{ topic: 't', partition: 3, offset: 7n, leaderEpoch: 2, metadata: 'ü' }];

    expect(written(offsetCommitMessage, { group: 'g', rows })).toBe(
      plain('0267 ffffffff 01 00 02 0274 02 00000003 0000000000000007 00000002 03c3bc 00 00 00'),
    );
  });

  test('about something that is no topic id is a mistake of ours', () => {
    expect(() => new Writer().uuid('short')).toThrow(/16 bytes/);
  });

  test('with a length beyond one byte has it in seven-bit groups', () => {
    const long = 'x'.repeat(200);

    expect(new Writer(1).string(long).finish().subarray(0, 2).toString('hex')).toBe('c901');
    expect(new Reader(new Writer().string(long).finish(), { what: 'test' }).string()).toBe(long);
  });
});

import { describe, expect, test } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import { alterConfigsMessage } from '../../src/kafka/messages/alter-configs.ts';
import { createTopicsMessage } from '../../src/kafka/messages/create-topics.ts';
import { deleteRecordsMessage } from '../../src/kafka/messages/delete-records.ts';
import { deleteTopicsMessage } from '../../src/kafka/messages/delete-topics.ts';
import { describeConsumerGroupsMessage } from '../../src/kafka/messages/describe-consumer-groups.ts';
import { describeGroupsMessage } from '../../src/kafka/messages/describe-groups.ts';
import { initProducerIdMessage } from '../../src/kafka/messages/init-producer-id.ts';
import type { Message } from '../../src/kafka/messages/message.ts';
import { offsetDeleteMessage } from '../../src/kafka/messages/offset-delete.ts';
import { produceByIdMessage, produceByNameMessage } from '../../src/kafka/messages/produce.ts';
import { Reader } from '../../src/kafka/reader.ts';
import { Writer } from '../../src/kafka/writer.ts';
import { hex } from './given.ts';

function written<Q, A>(message: Message<Q, A>, request: Q): string {
  const to = new Writer(1);
  message.write(request, to);
  return Buffer.concat(to.pieces()).toString('hex');
}

function read<Q, A>(message: Message<Q, A>, bytes: Buffer): A {
  const from = new Reader(bytes, { what: message.name });
  const answer = message.read(from);
  from.end();
  return answer;
}

const id = 'AQIDBAUGBwgJCgsMDQ4PEA';
const idHex = '0102030405060708090a0b0c0d0e0f10';
const otherId = 'EBESExQVFhcYGRobHB0eHg';
const otherHex = '101112131415161718191a1b1c1d1e1e';
const plain = (text: string): string => text.replaceAll(/\s/g, '');

/** A subscription to a and b, with user data; an assignment of b: 0 and 2, and of c: none. */
const subscription = '0001 00000002 0001 61 0001 62 00000002 ffff';
const assignment = '0001 00000002 0001 62 00000002 00000000 00000002 0001 63 00000000 ffffffff';

/** Compact bytes: their length and one. */
function compact(text: string): string {
  const { length } = hex(text);
  return `${Buffer.of(length + 1).toString('hex')} ${text}`;
}

/** Each response holds every field at least once, and an unknown tagged field (7, of two bytes) to be skipped. */
const cases: readonly { name: string; answer: string; read: (bytes: Buffer) => unknown; value: unknown }[] = [
  {
    name: 'CreateTopics',
    // The second one is refused: without settings, and with a message.
    answer: `03 0274 ${idHex} 0000 00 00000003 0001
        03 0261 0231 00 05 00 0107026162  0262 00 01 01 01 00
      01 05 02 0000
      0275 ${'00'.repeat(16)} 0024 0378 79 ffffffff ffff 00 0107026162
      00`,
    read: (bytes) => read(createTopicsMessage, bytes),
    value: [
      {
        topic: 't',
        topicId: id,
        errorCode: 0,
        message: undefined,
        configs: [{ name: 'a', value: '1' }],
      },
      {
        topic: 'u',
        topicId: 'AAAAAAAAAAAAAAAAAAAAAA',
        errorCode: 36,
        message: 'xy',
        configs: [],
      },
    ],
  },
  {
    name: 'DeleteTopics',
    answer: `03 0274 ${idHex} 0000 00 0107026162  00 ${otherHex} 0064 0278 00 00`,
    read: (bytes) => read(deleteTopicsMessage, bytes),
    value: [
      { topicId: id, errorCode: 0, message: undefined },
      { topicId: otherId, errorCode: 100, message: 'x' },
    ],
  },
  {
    name: 'DeleteRecords',
    answer: `03 0274 03 00000000 0000000000000007 0000 00 00000002 ffffffffffffffff 0007 00 0107026162
      0275 02 00000001 0000000000000000 002c 00 00 0107026162`,
    read: (bytes) => read(deleteRecordsMessage, bytes),
    value: [
      { topic: 't', partition: 0, errorCode: 0 },
      { topic: 't', partition: 2, errorCode: 7 },
      { topic: 'u', partition: 1, errorCode: 44 },
    ],
  },
  {
    name: 'OffsetDelete',
    // Of the old kind, with its throttle behind the error code.
    answer: `0056 00000064 00000002 0001 74 00000002 00000000 0000 00000003 0056 0001 75 00000000`,
    read: (bytes) => read(offsetDeleteMessage, bytes),
    value: {
      errorCode: 86,
      results: [
        { topic: 't', partition: 0, errorCode: 0 },
        { topic: 't', partition: 3, errorCode: 86 },
      ],
    },
  },
  {
    name: 'IncrementalAlterConfigs',
    answer: `03 0000 00 02 0274 0107026162  0028 0278 02 0275 00 00`,
    read: (bytes) => read(alterConfigsMessage, bytes),
    value: [
      { topic: 't', errorCode: 0, message: undefined },
      { topic: 'u', errorCode: 40, message: 'x' },
    ],
  },
  {
    name: 'InitProducerId',
    answer: `001d 0000000000000fa1 0003 0107026162`,
    read: (bytes) => read(initProducerIdMessage, bytes),
    value: { errorCode: 29, producerId: 4001n, producerEpoch: 3 },
  },
  {
    name: 'Produce (by topic id)',
    // The third one names the record that is at fault, and says nothing of the whole.
    answer: `03 ${idHex}
        03 00000000 0000 0000000000000007 ffffffffffffffff 0000000000000001 01 00 00
           00000002 002d ffffffffffffffff ffffffffffffffff ffffffffffffffff 01 0278 0107026162
        00
      ${otherHex}
        02 00000005 0057 ffffffffffffffff ffffffffffffffff ffffffffffffffff
           03 00000000 00 00 00000004 0379 7a 0107026162 00 00
        00
      0107026162`,
    read: (bytes) => {
      // What the wire reads behind it, the time to wait, stands before the tagged fields of the whole.
      const from = new Reader(bytes, { what: 'Produce' });
      const answer = produceByIdMessage.read(from);
      from.tags();
      from.end();
      return answer;
    },
    value: [
      { topicKey: id, partition: 0, errorCode: 0, baseOffset: 7n, message: undefined },
      { topicKey: id, partition: 2, errorCode: 45, baseOffset: -1n, message: 'x' },
      { topicKey: otherId, partition: 5, errorCode: 87, baseOffset: -1n, message: 'yz' },
    ],
  },
  {
    name: 'Produce (by name)',
    answer: `02 0274 02 00000003 0000 0000000000000009 ffffffffffffffff 0000000000000000 01 00 0107026162 00`,
    read: (bytes) => read(produceByNameMessage, bytes),
    value: [{ topicKey: 't', partition: 3, errorCode: 0, baseOffset: 9n, message: undefined }],
  },
  {
    name: 'DescribeGroups',
    // One of consumers, one of something else whose bytes would read as a subscription, one that cannot be told.
    answer: `04 0000 0267 0753 7461 626c 65 0963 6f6e 7375 6d65 72 0272
        03 026d 0269 0263 0268 ${compact(subscription)} ${compact(assignment)} 0107026162
           026e 00   0264 0269 01 01 00
        80000000 0107026162
      0000 0268 0253 0363 6e 01
        02 026d 00 0263 0268 ${compact(subscription)} ${compact(assignment)} 00
        00000000 00
      0010 0269 01 01 01 01 80000000 00
      00`,
    read: (bytes) => read(describeGroupsMessage, bytes),
    value: [
      {
        group: 'g',
        errorCode: 0,
        state: 'Stable',
        members: [
          { clientId: 'c', host: 'h', topics: ['a', 'b', 'c'] },
          { clientId: 'd', host: 'i', topics: [] },
        ],
      },
      { group: 'h', errorCode: 0, state: 'S', members: [{ clientId: 'c', host: 'h', topics: [] }] },
      { group: 'i', errorCode: 16, state: '', members: [] },
    ],
  },
  {
    name: 'ConsumerGroupDescribe',
    answer: `03 0000 00 0267 0753 7461 626c 65 00000005 00000006 0275
        02 026d 0269 0272 00000004 0263 0268 03 0261 0262 0278
           02 ${idHex} 0262 03 00000000 00000002 00 00
           02 ${otherHex} 0263 01 0107026162 0107026162
           00
        80000000 0107026162
      0045 0279 0268 01 00000000 00000000 01 01 80000000 00
      00`,
    read: (bytes) => read(describeConsumerGroupsMessage, bytes),
    value: [
      {
        group: 'g',
        errorCode: 0,
        state: 'Stable',
        members: [{ clientId: 'c', host: 'h', topics: ['a', 'b', 'c'] }],
      },
      { group: 'h', errorCode: 69, state: '', members: [] },
    ],
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

  test('with any byte changed is read or a clear error', () => {
    for (let at = 0; at < bytes.length; at += 1) {
      for (const byte of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
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

test.each([
  ['CreateTopics', createTopicsMessage],
  ['DeleteTopics', deleteTopicsMessage],
  ['DeleteRecords', deleteRecordsMessage],
  ['IncrementalAlterConfigs', alterConfigsMessage],
  ['Produce', produceByIdMessage],
  ['DescribeGroups', describeGroupsMessage],
  ['ConsumerGroupDescribe', describeConsumerGroupsMessage],
] as const)('a count in %s that lies is refused before anything is read for it', (_name, message) => {
  const from = new Reader(hex(`ffffffff0f ${'00'.repeat(64)}`), { what: 'test' });

  expect(() => message.read(from)).toThrow(/an array of 4294967294 elements in 64 bytes/);
});

/** A group of one consumer. */
function answerWith(metadata: string, assigned: string): Buffer {
  return hex(`02 0000 0267 0253 0963 6f6e 7375 6d65 72 01
    02 026d 00 0263 0268 ${compact(metadata)} ${compact(assigned)} 00 80000000 00 00`);
}

describe('what a consumer says of itself', () => {
  test('may be cut anywhere, and names the topics that are whole', () => {
    const metadata = hex(subscription);
    const assigned = hex(assignment);
    for (let length = 0; length <= metadata.length; length += 1) {
      const bytes = answerWith(metadata.subarray(0, length).toString('hex'), '');
      const names = length < 9 ? [] : length < 12 ? ['a'] : ['a', 'b'];
      expect(read(describeGroupsMessage, bytes)[0]?.members[0]?.topics, `cut at ${length}`).toEqual(names);
    }
    for (let length = 0; length <= assigned.length; length += 1) {
      const bytes = answerWith('', assigned.subarray(0, length).toString('hex'));
      const names = length < 9 ? [] : length < 24 ? ['b'] : ['b', 'c'];
      expect(read(describeGroupsMessage, bytes)[0]?.members[0]?.topics, `cut at ${length}`).toEqual(names);
    }
  });

  test.each([
    ['a count that lies', '0001 7fffffff 0001 61'],
    ['a negative count', '0001 ffffffff 0001 61'],
    ['a name longer than all', '0001 00000001 7fff 61'],
    ['a negative length', '0001 00000001 ffff 61'],
  ])('may have %s, and is read to its end', (_what, metadata) => {
    const topics = read(describeGroupsMessage, answerWith(metadata, metadata))[0]?.members[0]?.topics;

    expect(topics?.every((topic) => topic === 'a')).toBe(true);
  });
});

describe('a request', () => {
  test('to make topics leaves the assignment to the cluster, and may only ask', () => {
    const topics = [
      { topic: 't', partitions: 3, replicationFactor: 2, configs: [['a', '1'] as const, ['b', ''] as const] },
      { topic: 'u', partitions: 1, replicationFactor: -1, configs: [] },
    ];
    const rows = '03 0274 00000003 0002 01 03 0261 0231 00 0262 01 00 00  0275 00000001 ffff 01 01 00';

    expect(written(createTopicsMessage, { topics, validateOnly: false, timeoutMs: 500 })).toBe(
      plain(`${rows} 000001f4 00 00`),
    );
    expect(written(createTopicsMessage, { topics, validateOnly: true, timeoutMs: 500 })).toBe(
      plain(`${rows} 000001f4 01 00`),
    );
  });

  test('to delete topics names them by their ids and by nothing else', () => {
    expect(written(deleteTopicsMessage, { topicIds: [id, otherId], timeoutMs: 500 })).toBe(
      plain(`03 00 ${idHex} 00 00 ${otherHex} 00 000001f4 00`),
    );
  });

  test('to delete records tells where each partition is to begin', () => {
    const row = { leaderId: 5, before: 258n };
    const rows = [
      { ...row, topic: 't', partition: 1 },
      { ...row, topic: 'u', partition: 0 },
    ];

    expect(written(deleteRecordsMessage, { rows, timeoutMs: 500 })).toBe(
      plain(`03 0274 02 00000001 0000000000000102 00 00 0275 02 00000000 0000000000000102 00 00 000001f4 00`),
    );
  });

  test('to delete offsets has plain lengths and no tagged fields', () => {
    const rows = [
      { topic: 't', partition: 1 },
      { topic: 't', partition: 2 },
    ];

    expect(written(offsetDeleteMessage, { group: 'g', rows })).toBe(
      plain('0001 67 00000001 0001 74 00000002 00000001 00000002'),
    );
  });

  test('to change settings sets what has a value and takes away what has none', () => {
    const changes = [{ topic: 't', configs: [['a', '1'] as const, ['b', undefined] as const] }];

    expect(written(alterConfigsMessage, { changes, validateOnly: false })).toBe(
      plain('02 02 0274 03 0261 00 0231 00 0262 01 00 00 00 00 00'),
    );
    expect(written(alterConfigsMessage, { changes: [], validateOnly: true })).toBe(plain('01 01 00'));
  });

  test('for the identity of a producer is about no transaction and about none that was', () => {
    expect(written(initProducerIdMessage, undefined)).toBe(plain('00 7fffffff ffffffffffffffff ffff 00'));
  });

  test('to produce waits for all replicas in sync, with the partitions of a topic in one entry', () => {
    const partitions = [
      { topicKey: id, partition: 1, batch: hex('aabb') },
      { topicKey: otherId, partition: 2, batch: Buffer.alloc(200, 1) },
      { topicKey: id, partition: 0, batch: hex('cc') },
    ];

    expect(written(produceByIdMessage, { timeoutMs: 500, partitions })).toBe(
      plain(`00 ffff 000001f4 03
        ${idHex} 03 00000001 03 aabb 00 00000000 02 cc 00 00
        ${otherHex} 02 00000002 c901 ${'01'.repeat(200)} 00 00
        00`),
    );
    const byName = [{ topicKey: 't', partition: 1, batch: hex('aabb') }];
    expect(written(produceByNameMessage, { timeoutMs: 500, partitions: byName })).toBe(
      plain('00 ffff 000001f4 02 0274 02 00000001 03 aabb 00 00 00'),
    );
  });

  test('about groups does not ask for what one may do with them', () => {
    expect(written(describeGroupsMessage, ['g', 'h'])).toBe(plain('03 0267 0268 00 00'));
    expect(written(describeConsumerGroupsMessage, ['g', 'h'])).toBe(plain('03 0267 0268 00 00'));
  });

  test.each([
    [createTopicsMessage, 19, 7],
    [deleteTopicsMessage, 20, 6],
    [alterConfigsMessage, 44, 1],
    [initProducerIdMessage, 22, 4],
    [produceByIdMessage, 0, 13],
    [produceByNameMessage, 0, 9],
    [describeGroupsMessage, 15, 5],
    [describeConsumerGroupsMessage, 69, 0],
  ])('of $name is of the version that is drawn above it', (message, apiKey, version) => {
    expect([message.apiKey, message.version]).toEqual([apiKey, version]);
  });
});

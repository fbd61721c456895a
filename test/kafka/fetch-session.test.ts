import { expect, test } from 'vitest';
import type { FetchPartition } from '../../src/kafka/records.ts';
import { FetchSession } from '../../src/kafka/fetch-session.ts';

function row(partition: number, offset = 0n): FetchPartition {
  return { topicId: 'T', partition, leaderEpoch: 0, offset, lastEpoch: -1, maxBytes: 1 };
}

const given = { errorCode: 0, sessionId: 42 };

test('the first request says everything, a later one what changed, came and went', () => {
  const session = new FetchSession();
  const [a, b, c] = [row(0), row(1), row(2)];

  expect(session.step([a, b])).toEqual({ id: 0, epoch: 0, partitions: [a, b], forgotten: [] });
  session.heard(given);
  expect(session.step([b, a])).toEqual({ id: 42, epoch: 1, partitions: [], forgotten: [] });
  session.heard(given);
  const moved = row(0, 7n);
  expect(session.step([moved, c])).toEqual({ id: 42, epoch: 2, partitions: [moved, c], forgotten: [b] });
  session.heard(given);
  expect(session.step([moved, b, c])).toEqual({ id: 42, epoch: 3, partitions: [b], forgotten: [] });
});

test('a session that is renewed says everything again, under the number that the broker lets go', () => {
  const session = new FetchSession();
  session.step([row(0)]);
  session.heard(given);
  session.renew();
  const rows = [row(0)];
  expect(session.step(rows)).toEqual({ id: 42, epoch: 0, partitions: rows, forgotten: [] });
});

test.for([70, 71, 106])('one that the broker does not know any more (%i) is begun anew', (errorCode) => {
  const session = new FetchSession();
  const rows = [row(0)];
  session.step(rows);
  session.heard(given);
  session.step(rows);
  expect(session.heard({ errorCode, sessionId: 0 })).toBe(false);
  expect(session.step(rows)).toEqual({ id: 0, epoch: 0, partitions: rows, forgotten: [] });
});

test('a broker that gives no session is told everything each time', () => {
  const session = new FetchSession();
  const rows = [row(0)];
  for (const answer of [
    { errorCode: 0, sessionId: 0 },
    { errorCode: 6, sessionId: 0 },
  ]) {
    expect(session.step(rows)).toEqual({ id: 0, epoch: 0, partitions: rows, forgotten: [] });
    expect(session.heard(answer)).toBe(true);
  }
});

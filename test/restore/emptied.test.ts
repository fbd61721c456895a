import { expect, test } from 'vitest';
import { withEachOnce } from '../../src/restore/emptied.ts';
import type { Journal } from '../../src/restore/journal.ts';
import type { SourceTopic } from '../../src/restore/plan.ts';

/** A topic of one partition that was saved from offset 0 to `to`. */
function savedTo(to: bigint): SourceTopic {
  const plan = { stretches: [{ from: 0n, to, copies: [0] }], missing: [], expired: [], gaps: [] };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest of a source has no say in it
  return {
    life: { topic: 't', topicId: 'T' },
    partitions: [{ partition: 0, copies: [], plan, scanned: undefined }],
  } as unknown as SourceTopic;
}

function emptying(id: string, start: bigint, end: bigint, more: object = {}): Journal {
  const topic = { action: 'empty', state: 'restored', topicId: 'T', sourceId: 'T', ...more };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest of a journal has no say in it
  return {
    id,
    startedMs: Number(start),
    topics: [{ ...topic, partitions: [{ partition: 0, start, end, ranges: [] }] }],
  } as unknown as Journal;
}

function rangesOf(source: SourceTopic, journals: readonly Journal[]): string {
  const { sources } = withEachOnce([source], journals);
  const stretches = sources.flatMap(({ partitions }) => partitions.flatMap(({ plan }) => plan.stretches));
  return stretches.map(({ from, to }) => `${from}-${to}`).join(' ');
}

const first = emptying('first', 10n, 18n);
const second = emptying('second', 20n, 30n);

test.each([
  { what: 'saved before it was emptied', to: 10n, journals: [first], left: '0-10' },
  { what: 'saved while it was put back', to: 15n, journals: [first], left: '0-10' },
  { what: 'saved whole since', to: 25n, journals: [first], left: '10-25' },
  { what: 'emptied twice, the second not saved whole', to: 29n, journals: [second, first], left: '10-20' },
  { what: 'emptied twice, all saved', to: 33n, journals: [first, second], left: '20-33' },
  { what: 'never emptied', to: 15n, journals: [], left: '0-15' },
  {
    what: 'emptied in another life',
    to: 15n,
    journals: [emptying('x', 10n, 12n, { topicId: 'U' })],
    left: '0-15',
  },
  {
    what: 'not put back to the end',
    to: 15n,
    journals: [emptying('x', 10n, 12n, { state: 'writing' })],
    left: '0-15',
  },
  {
    what: 'filled from another topic, not saved whole',
    to: 11n,
    journals: [emptying('x', 10n, 12n, { sourceId: 'U' })],
    left: '0-11',
  },
  {
    what: 'filled from another topic, saved whole',
    to: 12n,
    journals: [emptying('x', 10n, 12n, { sourceId: 'U' })],
    left: '10-12',
  },
])('of a topic $what, each record is taken once', ({ to, journals, left }) => {
  expect(rangesOf(savedTo(to), journals)).toBe(left);
});

test('what is left out is told, with the restore that it went with', () => {
  expect(withEachOnce([savedTo(25n)], [first]).notes).toEqual([
    'topic t: 10 offsets are left out that went with the emptying of restore first; --snapshot of a time before has them',
  ]);
  expect(withEachOnce([savedTo(15n)], [first]).notes).toEqual([
    'topic t: 5 offsets are left out that came back by the emptying of restore first, and are not all saved yet',
  ]);
});

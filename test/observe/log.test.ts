import { expect, test } from 'vitest';
import { openLog, type DaemonEvent } from '../../src/observe/observe.ts';

const hostile = 'a"}\n{"level":"info"}\r\u001b[2J\u009b31m\u2028\u202e';
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

const events: DaemonEvent[] = [
  { type: 'topic-refused', topic: hostile, message: hostile },
  { type: 'gap', topic: hostile, topicId: 'x', partition: 0, from: 2n ** 60n, to: 2n ** 60n + 1n },
  {
    type: 'repaired',
    topic: 't',
    topicId: 'x',
    partition: 0,
    repair: { kind: 'damaged-file', path: hostile, problem: hostile },
  },
  { type: 'cycle-failed', code: 'failed', message: hostile, hint: hostile },
];

test.each([false, true])(
  'nothing in a name or an error text ends a line or moves a cursor (terminal: %s)',
  (isTerminal) => {
    for (const event of events) {
      const written: string[] = [];
      openLog({ level: 'debug', isTerminal, write: (text) => written.push(text) }).event(event);

      expect(written).toHaveLength(1);
      const line = written[0] ?? '';
      expect(line.indexOf('\n')).toBe(line.length - 1);
      const shown = ['31', '33', '32', '36', '39'].reduce(
        (text, colour) => text.replaceAll(`\u001b[${colour}m`, ''),
        line,
      );
      expect(shown.slice(0, -1)).not.toMatch(unsafe);
      if (!isTerminal) expect(JSON.parse(line)).toMatchObject({ event: event.type });
    }
  },
);

test('offsets are exact', () => {
  const written: string[] = [];
  const [, gap] = events;
  if (gap === undefined) throw new Error('there is one');
  openLog({ level: 'info', isTerminal: false, write: (text) => written.push(text) }).event(gap);

  expect(JSON.parse(written[0] ?? '')).toMatchObject({ from: '1152921504606846976', level: 'error' });
});

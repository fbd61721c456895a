import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeEvent, openLog, type DaemonEvent } from '../../src/observe/observe.ts';
import { readTree, sourcesOf } from '../tidy/tree.ts';
import { everyEvent } from './every-event.ts';

const hostile = 'a"}\n{"level":"info"}\r\u001b[2J\u009b31m\u2028\u202e';
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const colours = ['31', '32', '33', '34', '36', '39'].map((colour) => `\u001b[${colour}m`);

function linesOf(event: DaemonEvent, o: { isTerminal: boolean; noColor?: boolean }): string[] {
  const written: string[] = [];
  openLog({ level: 'debug', ...o, write: (text) => written.push(text) }).event(event);
  return written;
}

test.each(everyEvent(hostile))('no name or text in $type ends a line or moves a cursor', (event) => {
  for (const isTerminal of [false, true]) {
    const written = linesOf(event, { isTerminal });
    expect(written).toHaveLength(1);
    const line = colours.reduce((text, colour) => text.replaceAll(colour, ''), written[0] ?? '');

    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(line.slice(0, -1)).not.toMatch(unsafe);
    if (!isTerminal) expect(JSON.parse(line)).toMatchObject({ event: event.type });
  }
});

test('colours are for terminals, and not with NO_COLOR', () => {
  const [event] = everyEvent('orders');
  if (event === undefined) throw new Error('there is one');
  const isColoured = (o: { isTerminal: boolean; noColor?: boolean }): boolean =>
    linesOf(event, o)[0]?.includes('\u001b[') === true;

  expect(isColoured({ isTerminal: true })).toBe(true);
  expect(isColoured({ isTerminal: true, noColor: true })).toBe(false);
  expect(isColoured({ isTerminal: false })).toBe(false);
});

test('offsets are exact', () => {
  const gap = everyEvent('orders').find(({ type }) => type === 'gap');
  if (gap === undefined) throw new Error('there is one');

  expect(JSON.parse(linesOf(gap, { isTerminal: false })[0] ?? '')).toMatchObject({
    event: 'gap',
    topic: 'orders',
    from: '1152921504606846976',
    level: 'error',
  });
});

test('docs/events.md lists every event with its level, and no other', () => {
  const page = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| ([a-z ,]+) \|/gm)].map(
    ([, name, level]) => `${name} ${level}`,
  );
  const typed = everyEvent('x').map((event) => `${event.type} ${levelsOf(event)}`);
  const code = [...sourcesOf(readTree()).values()].join('\n');
  const named = [...code.matchAll(/\blog\.(info|error)\(\s*'([a-z-]+)'/g)].map(
    ([, level, name]) => `${name} ${level}`,
  );

  expect(named.length).toBeGreaterThan(4);
  expect(rows.toSorted()).toEqual([...new Set([...typed, ...named])].toSorted());
});

/** How a cycle or a drill ended is as grave as what it found. */
function levelsOf(event: DaemonEvent): string {
  if (event.type === 'drill-ended')
    return [true, false].map((passed) => describeEvent({ ...event, passed }).level).join(', ');
  if (event.type === 'drill-failed')
    return ['interrupted', 'failed'].map((code) => describeEvent({ ...event, code }).level).join(', ');
  if (event.type !== 'cycle-ended') return describeEvent(event).level;
  const findings = [null, 'incomplete', 'damage'] as const;
  const levels = findings.map(
    (finding) => describeEvent({ ...event, report: { ...event.report, finding } }).level,
  );
  return levels.join(', ');
}

/** What somebody asked of the page by its address: all of it is hostile until it was read here. */
import { momentText } from '../observe/observe.ts';
import { monthText, parseMonth, parseTime, startOfMonthMs } from '../schedule/schedule.ts';
import type { TopicDocument, TopicRow } from './topics.ts';

export const topicsPerPage = 60;

const sorts = ['size', 'name', 'lag', 'unsaved'] as const;
export type Sort = (typeof sorts)[number];

/** As asked for. Words that mean nothing here count as not said. */
export interface Asked {
  readonly topic: string | undefined;
  readonly topicId: string | undefined;
  readonly time: string | undefined;
  /** Only topics whose names hold this. */
  readonly search: string;
  readonly sort: Sort;
  /** From 1 on. */
  readonly page: number;
}

export function askedOf(query: URLSearchParams): Asked {
  const search = query.get('q') ?? '';
  const sort = sorts.find((known) => known === query.get('sort')) ?? 'size';
  const page = /^[1-9]\d{0,5}$/.test(query.get('page') ?? '') ? Number(query.get('page')) : 1;
  const asked = (name: string): string | undefined => query.get(name)?.trim() || undefined;
  return { topic: asked('topic'), topicId: asked('id'), time: asked('time'), search, sort, page };
}

/** The address of the page with some of it said otherwise. */
export function addressOf(asked: Asked, change: Partial<Asked>): string {
  const { topic, topicId, time, search, sort, page } = { ...asked, ...change };
  const query = new URLSearchParams();
  if (topic !== undefined) query.set('topic', topic);
  if (topicId !== undefined) query.set('id', topicId);
  if (time !== undefined) query.set('time', time);
  if (search !== '') query.set('q', search);
  if (sort !== 'size') query.set('sort', sort);
  if (page !== 1) query.set('page', String(page));
  const text = query.toString();
  return text === '' ? '/' : `/?${text}`;
}

export interface Shown {
  readonly topics: readonly TopicRow[];
  readonly found: number;
  readonly page: number;
  readonly pages: number;
}

export function shownOf(all: readonly TopicRow[], asked: Asked): Shown {
  const word = asked.search.toLowerCase();
  const found = all.filter(({ topic }) => topic.toLowerCase().includes(word));
  const pages = Math.max(1, Math.ceil(found.length / topicsPerPage));
  const page = Math.min(asked.page, pages);
  const sorted = asked.sort === 'size' ? found : found.toSorted(by[asked.sort]);
  const topics = sorted.slice((page - 1) * topicsPerPage, page * topicsPerPage);
  return { topics, found: found.length, page, pages };
}

/** They come by size. */
const by: Record<Exclude<Sort, 'size'>, (a: TopicRow, b: TopicRow) => number> = {
  name: (a, b) => (a.topic < b.topic ? -1 : 1),
  lag: (a, b) => b.lagRecords - a.lagRecords,
  unsaved: (a, b) => b.unsavedRecords - a.unsavedRecords,
};

export interface Choice {
  readonly topic: TopicDocument;
  /** RFC 3339; undefined: up to the newest record. */
  readonly time: string | undefined;
  /** Why the time that was asked for is none. */
  readonly problem: string | undefined;
  /** The month that the time ends, or lies in. */
  readonly month: string | undefined;
}

/** Undefined where no topic was asked for, or one that the backup does not have. */
export function choiceOf(
  { rows: all, layers }: { rows: readonly TopicRow[]; layers: (row: TopicRow) => TopicDocument },
  asked: Asked,
): Choice | undefined {
  if (asked.topic === undefined) return undefined;
  const named = all.filter(({ topic }) => topic === asked.topic);
  const row =
    named.find(({ topicId }) => topicId === asked.topicId) ?? named.find(({ isLive }) => isLive) ?? named[0];
  if (row === undefined) return undefined;
  const topic = layers(row);
  if (asked.time === undefined)
    return { topic, time: undefined, problem: undefined, month: topic.months[0]?.month };
  const parsed = parseTime(asked.time);
  if (parsed.kind === 'refused')
    return { topic, time: undefined, problem: parsed.problem, month: topic.months[0]?.month };
  const time = momentText(Number(parsed.ms));
  // The first moment of a month is the end of the one before it.
  const month = momentText(Number(parsed.ms) - 1).slice(0, 7);
  return { topic, time, problem: undefined, month };
}

/** The end of each day of a month, as far as it is past. */
export function daysOf(month: string, nowMs: number): { readonly day: number; readonly end: string }[] {
  const first = parseMonth(month);
  if (first === undefined) return [];
  const days: { day: number; end: string }[] = [];
  for (let ms = startOfMonthMs(first); ms < startOfMonthMs(first + 1) && ms <= nowMs; ms += dayMs)
    days.push({ day: days.length + 1, end: momentText(ms + dayMs) });
  return days;
}

const dayMs = 86_400_000;

/** The moment behind a month. */
export function endOfMonth(month: string): string {
  const first = parseMonth(month);
  return first === undefined ? month : momentText(startOfMonthMs(first + 1));
}

export function monthBefore(month: string): string {
  const first = parseMonth(month);
  return first === undefined ? month : monthText(first - 1);
}

export interface RestoreCommand {
  readonly what: string;
  readonly command: string;
}

/** To be copied into a shell: of a name that Kafka would not have, none is offered. */
export function restoreCommands({ topic: row, time }: Choice): RestoreCommand[] {
  const { topic, topicId, isLive } = row;
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(topic) || !/^[a-zA-Z0-9_-]{22}$/.test(topicId)) return [];
  const life = isLive ? '' : ` ${option('--incarnation', topicId)}`;
  const until = time === undefined ? '' : ` --to-time ${time}`;
  const restore = `varve restore ${option('--topic', topic)}${life}${until}`;
  const beside = `${topic.slice(0, 240)}.restored`;
  const commands = [
    {
      what: 'beside it, under another name',
      command: `${restore} ${option('--to-topic', beside)} --no-groups`,
    },
  ];
  return isLive
    ? [...commands, { what: 'in its place: shows the plan, then asks', command: `${restore} --recreate` }]
    : [{ what: 'put back: shows the plan, then asks', command: restore }, ...commands];
}

/** A value that begins with a dash would be taken for an option. */
function option(name: string, value: string): string {
  return value.startsWith('-') ? `${name}=${value}` : `${name} ${value}`;
}

/** What a value turned out to be instead; `expected` replaces the key's own rule in the message. */
export class Wrong {
  readonly expected: string | undefined;

  constructor(expected?: string) {
    this.expected = expected;
  }
}

/** From what stood in the file or the environment (there, always text) to the value; never throws. */
export type Parse<T> = (value: unknown) => T | Wrong;

const sizeUnits: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
]);

const dayMs = 86_400_000;

/** A month counts 31 days and a year 366, so that a duration never ends before the calendar's. */
const durationUnits: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', dayMs],
  ['w', 7 * dayMs],
  ['mo', 31 * dayMs],
  ['y', 366 * dayMs],
]);

const durationMsMax = 1000 * 366 * dayMs;

export function size(limits: { readonly bytesMin: number; readonly bytesMax: number }): Parse<number> {
  return (value) => {
    const found = /^(\d{1,16}(?:\.\d{1,6})?) ?([a-z]{0,3})$/i.exec(wordOf(value));
    const unit = sizeUnits.get(found?.[2]?.toLowerCase() ?? '?');
    if (found === null || unit === undefined) return new Wrong();
    const bytes = Number(found[1]) * unit;
    return Number.isSafeInteger(bytes) && bytes >= limits.bytesMin && bytes <= limits.bytesMax
      ? bytes
      : new Wrong();
  };
}

/** A size as it stands in a configuration, for the command line; undefined where it is none. */
export function bytesIn(text: string): number | undefined {
  const bytes = size({ bytesMin: 1, bytesMax: 2 ** 50 })(text);
  return bytes instanceof Wrong ? undefined : bytes;
}

export const duration: Parse<number> = (value) => {
  const found = /^(\d{1,12}) ?([a-z]{1,2})$/.exec(wordOf(value));
  const unit = durationUnits.get(found?.[2] ?? '?');
  if (found === null || unit === undefined) return new Wrong();
  const ms = Number(found[1]) * unit;
  return ms <= durationMsMax ? ms : new Wrong();
};

export const archiveKeep: Parse<'forever' | { readonly months: number }> = (value) => {
  if (value === 'forever') return value;
  const found = /^(\d{1,5}) ?(mo|y)$/.exec(wordOf(value));
  if (found === null) return new Wrong();
  const months = Number(found[1]) * (found[2] === 'y' ? 12 : 1);
  return months >= 1 ? { months } : new Wrong();
};

export const flag: Parse<boolean> = (value) => {
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' ? false : new Wrong();
};

export function count(limits: { readonly min: number; readonly max: number }): Parse<number> {
  return (value) => {
    const word = wordOf(value);
    const number = /^\d{1,15}$/.test(word) ? Number(word) : Number.NaN;
    return number >= limits.min && number <= limits.max ? number : new Wrong();
  };
}

const textLengthMax = 4096;

export const text: Parse<string> = (value) =>
  typeof value === 'string' && value !== '' && value.length <= textLengthMax && isPrintable(value)
    ? value
    : new Wrong();

export function matching(pattern: RegExp): Parse<string> {
  return (value) => (typeof value === 'string' && pattern.test(value) ? value : new Wrong());
}

export function oneOf<const T extends string>(
  names: readonly T[],
  options: { readonly ignoreCase?: boolean } = {},
): Parse<T> {
  return (value) => {
    if (typeof value !== 'string') return new Wrong();
    const wanted = options.ignoreCase === true ? value.toUpperCase() : value;
    return names.find((name) => name === wanted) ?? new Wrong();
  };
}

export const broker: Parse<string> = (value) => {
  if (typeof value !== 'string') return new Wrong();
  if (value.includes('://')) return new Wrong('host:port without a protocol (TLS is kafka.ssl.enabled)');
  const found = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(value);
  if (found === null) return new Wrong();
  if (found[2] === undefined) {
    return new Wrong(`host:port (the port is missing; Kafka's usual one is 9092: ${found[1] ?? ''}:9092)`);
  }
  const port = Number(found[2]);
  return port >= 1 && port <= 65_535 ? value : new Wrong('a port from 1 to 65535');
};

/** A topic's name, or a glob of `*` and `?`. */
export const topicGlob: Parse<string> = matching(/^[A-Za-z0-9._*?-]{1,249}$/);

export const timezone: Parse<string> = (value) => {
  if (typeof value !== 'string' || value === '') return new Wrong();
  try {
    new Intl.DateTimeFormat('en', { timeZone: value }).format(0);
    return value;
  } catch {
    return new Wrong();
  }
};

export const webAddress: Parse<string> = (value) =>
  typeof value === 'string' && URL.canParse(value) && /^https?:\/\//.test(value) ? value : new Wrong();

function wordOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : '';
}

function isPrintable(value: string): boolean {
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 32 || code === 127) return false;
  }
  return true;
}

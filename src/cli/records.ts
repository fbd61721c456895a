import { isUtf8 } from 'node:buffer';
import type { LogRecord, RecordHeader } from '../log/log.ts';
import { timeText } from '../schedule/schedule.ts';
import { escapeControls, escapeJsonControls } from './output.ts';

/**
 * A record as one line of JSON, by hand: offsets and times are exact integers that JSON.stringify does not know, and
 * the order of the keys is a contract.
 */
export function jsonLines(topic: string, partition: number): (record: LogRecord) => string {
  const head = `{"topic":${jsonText(topic)},"partition":${partition},"offset":`;
  return ({ offset, timestamp, timestampType, key, value, headers }) =>
    `${head}${offset},"timestamp":${timestamp},"timestampType":"${timestampType}","key":${base64(key)},` +
    `"value":${base64(value)},"headers":${headers.length === 0 ? '[]' : headersJson(headers)}}\n`;
}

function jsonText(text: string): string {
  return escapeJsonControls(JSON.stringify(text));
}

function base64(bytes: Buffer | null): string {
  return bytes === null ? 'null' : `"${bytes.toString('base64')}"`;
}

/** Names that are no text keep their bytes in a key of their own. */
function headersJson(headers: readonly RecordHeader[]): string {
  const pairs = headers.map(({ name, value }) => `[${jsonText(name.toString('utf8'))},${base64(value)}]`);
  const isText = headers.every(({ name }) => isUtf8(name));
  const raw = isText ? '' : `,"headerNamesRaw":[${headers.map(({ name }) => base64(name)).join(',')}]`;
  return `[${pairs.join(',')}]${raw}`;
}

/** A record as one line for people; long values are cut. */
export function plainLines(topic: string, partition: number): (record: LogRecord) => string {
  return ({ offset, timestamp, timestampType, key, value, headers }) => {
    const time = timeText(timestamp) + (timestampType === 'LogAppendTime' ? ' (append time)' : '');
    const pairs = headers.map(({ name, value: of }) => `${bytesShown(name)}=${bytesShown(of)}`);
    const tail = pairs.length === 0 ? '' : `  headers ${pairs.join(', ')}`;
    return `${topic}/${partition} ${offset}  ${time}  key ${bytesShown(key)}  value ${bytesShown(value)}${tail}\n`;
  };
}

const bytesShownMax = 400;

function bytesShown(bytes: Buffer | null): string {
  if (bytes === null) return 'null';
  const isCut = bytes.length > bytesShownMax;
  const note = isCut ? `… (${bytes.length} bytes)` : '';
  // A cut may go through a character; only what comes before the last few bytes decides whether this is text.
  const shown = isCut ? bytes.subarray(0, wholeCharacters(bytes, bytesShownMax)) : bytes;
  if (!isUtf8(shown)) return `base64:${shown.toString('base64')}${note}`;
  return escapeControls(JSON.stringify(shown.toString('utf8'))) + note;
}

/** Where the character that lies across `end` begins: at most three bytes before it. */
function wholeCharacters(bytes: Buffer, end: number): number {
  let at = end;
  while (at > end - 3 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at -= 1;
  return at;
}

import { pino, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { describeEvent, type DaemonEvent } from './describe.ts';
import { escapeControls } from '../escape.ts';

export interface Log {
  readonly event: (event: DaemonEvent) => void;
  readonly info: (name: string, message: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly error: (name: string, message: string) => void;
}

/**
 * JSON lines for programs, readable ones on a terminal. Every line names its event. Names and error texts come from
 * outside: nothing in them ends a line, or is obeyed by a terminal.
 */
export function openLog(o: {
  level: string;
  isTerminal: boolean;
  /** On a terminal, unless NO_COLOR asks for none. */
  noColor?: boolean;
  write: (text: string) => void;
}): Log {
  const pretty = o.isTerminal
    ? prettyFactory({
        colorize: o.noColor !== true,
        ignore: 'pid,hostname,event',
        translateTime: 'SYS:HH:MM:ss',
        hideObject: true,
      })
    : undefined;
  const write = (line: string): void => o.write(pretty === undefined ? line : (pretty(line) ?? line));
  const logger: Logger = pino(
    {
      level: o.level,
      base: null,
      formatters: { level: (level) => ({ level }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    { write },
  );
  return {
    event(event) {
      const { level, message } = describeEvent(event);
      const { type, ...fields } = event;
      logger[level]({ event: type, ...plain(fields) }, escapeControls(message));
    },
    info(name, message, fields = {}) {
      logger.info({ event: name, ...plain(fields) }, escapeControls(message));
    },
    error(name, message) {
      logger.error({ event: name }, escapeControls(message));
    },
  };
}

/** Offsets are larger than JSON's numbers can be trusted with: they are logged as text. */
function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'string') return escapeControls(value);
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(plainValue);
  return typeof value === 'object' && value !== null
    ? plain(Object.fromEntries(Object.entries(value)))
    : value;
}

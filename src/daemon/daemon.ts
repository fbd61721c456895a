/**
 * Wiring: from a configuration to a running sink, and the orders that a running one takes through its socket.
 *
 * It promises: what was opened is closed in the opposite order, on every way out. It holds no rule of its own about
 * records, offsets or files.
 */
import { hostname } from 'node:os';
import { messageOf, VarveError } from '../errors.ts';
import { localFolderOf, matchesTopic, type Config } from '../config/config.ts';
import type { Host } from '../host/host.ts';
import { connectCluster } from '../kafka/kafka.ts';
import { LocalFolder } from '../local/local.ts';
import { Sink, type SinkEvent } from '../sink/sink.ts';
import { kafkaPorts, kafkaSettings } from './settings.ts';
import { catchUpDocument } from './report.ts';

export { askDaemon } from './ask.ts';
export { kafkaPorts, kafkaSettings } from './settings.ts';
export { catchUpDocument, type CatchUpDocument } from './report.ts';
export type { CatchUpReport, Progress, SinkStatus } from '../sink/sink.ts';

export interface OpenSinkOptions {
  readonly config: Config;
  readonly host: Host;
  readonly emit: (event: SinkEvent) => void;
  /** `catch-up` ends at the ends it froze and gives up on lasting trouble; `follow` goes on for ever. */
  readonly mode: 'catch-up' | 'follow';
  readonly signal: AbortSignal;
}

export interface OpenSink extends AsyncDisposable {
  readonly sink: Sink;
}

/** Takes the local folder, connects, and starts reading. */
export async function openSink(options: OpenSinkOptions): Promise<OpenSink> {
  const { config, host, emit, mode, signal } = options;
  await using opened = new AsyncDisposableStack();
  const running: { sink?: Sink } = {};
  const startedAt = new Date(host.clock.nowMs()).toISOString();
  const local = opened.use(
    await LocalFolder.open(host, localFolderOf(config), {
      instance: config.instance,
      serve: async (request, reply) =>
        serveOrder(request, { reply, sink: () => running.sink, startedAt, signal }),
    }),
  );
  const cluster = opened.use(
    await connectCluster({ settings: kafkaSettings(config.kafka), ports: kafkaPorts(host), signal }),
  );
  const { rack } = config.kafka;
  const sink = opened.use(
    await Sink.start({
      cluster,
      local,
      host,
      emit,
      mode,
      isWanted: (topic) => matchesTopic(config, topic),
      group: config.kafka.groupId,
      ...(rack === undefined ? {} : { rack }),
      segmentBytes: config.local.segmentBytes,
      inFlightBytes: config.sink.inFlightBytes,
      minFreeBytes: config.local.minFree,
    }),
  );
  running.sink = sink;
  const all = opened.move();
  return { sink, [Symbol.asyncDispose]: async () => all.disposeAsync() };
}

interface OrderContext {
  readonly reply: (line: unknown) => void;
  readonly sink: () => Sink | undefined;
  readonly startedAt: string;
  readonly signal: AbortSignal;
}

async function serveOrder(request: unknown, o: OrderContext): Promise<void> {
  const command =
    typeof request === 'object' && request !== null && 'command' in request ? request.command : undefined;
  const sink = o.sink();
  const who = { process: process.pid, host: hostname(), started: o.startedAt };
  if (command === 'who') o.reply(who);
  else if (command === 'status') o.reply({ ...who, status: sink?.status ?? null });
  else if (command === 'backup' && sink !== undefined) {
    try {
      o.reply({ done: catchUpDocument(await sink.catchUp(o.signal)) });
    } catch (error) {
      const code = error instanceof VarveError ? error.code : 'failed';
      o.reply({
        error: { code, message: messageOf(error), hint: error instanceof VarveError ? error.hint : null },
      });
    }
  } else
    o.reply({ error: { code: 'failed', message: `unknown order ${JSON.stringify(command)}`, hint: null } });
}

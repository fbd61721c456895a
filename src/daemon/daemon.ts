/**
 * Wiring: from a configuration to a running sink, its cycles, and the orders that a running one takes through its
 * socket.
 *
 * It promises: what was opened is closed in the opposite order, on every way out; one cycle runs at a time, and none
 * beside a child process that hangs. It holds no rule of its own about records, offsets or files.
 */
import { messageOf, VarveError } from '../errors.ts';
import { matchesTopic, type Config } from '../config/config.ts';
import type { Host } from '../host/host.ts';
import { connectCluster, type Cluster } from '../kafka/kafka.ts';
import type { LocalFolder } from '../local/local.ts';
import { Sink, type DurableOffsets } from '../sink/sink.ts';
import type { CycleReport } from '../snapshot/snapshot.ts';
import type { DaemonEvent, DaemonFacts } from '../observe/observe.ts';
import type { PageFacts } from '../page/page.ts';
import { CycleNotes } from './cycle-notes.ts';
import { Cycles, type CyclesOptions } from './cycles.ts';
import { drillsOf } from './drilling.ts';
import { factsOf } from './facts.ts';
import { Filling } from './filling.ts';
import { TargetGate } from './gate.ts';
import { openLocal, type Running } from './held.ts';
import { Ping } from './ping.ts';
import { Picture } from './picture.ts';
import { kafkaPorts, kafkaSettings } from './settings.ts';
import { recordOf } from './record.ts';
import { repackInTurn } from './repacking.ts';
import { Retention } from './retention.ts';
import { savedOffsets } from './saved.ts';
import { takeSnapshot, type Accepted } from './snapshots.ts';

export { askDaemon } from './ask.ts';
export { serveHttp, type HttpOptions, type HttpServer } from './http.ts';
export { startingPage } from './picture.ts';
export { repackRequest } from './repacking.ts';
export { kafkaPorts, kafkaSettings } from './settings.ts';
export { catchUpDocument, type CatchUpDocument } from './report.ts';
export { snapshotDocument, type SnapshotDocument } from './snapshot-report.ts';
export { nothingAccepted, snapshotSettings, type Accepted } from './snapshots.ts';
export type { OrderWaits } from './waiting.ts';
export type { DaemonEvent } from '../observe/observe.ts';
export type { CatchUpReport, Progress, SinkStatus } from '../sink/sink.ts';

export interface OpenOptions {
  readonly config: Config;
  readonly host: Host;
  readonly emit: (event: DaemonEvent) => void;
  readonly signal: AbortSignal;
}

export interface OpenSinkOptions extends OpenOptions {
  /** `catch-up` ends at the ends it froze and gives up on lasting trouble; `follow` goes on for ever. */
  readonly mode: 'catch-up' | 'follow';
  /** After so long a call to the target counts as one that hangs. */
  readonly stuckMs?: number;
}

export interface OpenSink extends AsyncDisposable {
  readonly sink: Sink;
  /** What is known of it now. */
  readonly facts: () => Promise<DaemonFacts>;
  /** The same, and all else that the page shows. */
  readonly page: () => Promise<PageFacts>;
  /** One cycle from what the sink has now. */
  readonly snapshot: (accept: Accepted) => Promise<CycleReport>;
}

/** Takes the local folder, connects, and starts reading; when it is to follow and has a repository, it runs cycles. */
export async function openSink(options: OpenSinkOptions): Promise<OpenSink> {
  const { config, host, mode, signal } = options;
  await using opened = new AsyncDisposableStack();
  const started = Promise.withResolvers<void>();
  const gate = new TargetGate(host, options.stuckMs);
  const holder = mode === 'follow' ? 'run' : 'backup';
  const running: Running = { holder, started: started.promise, gate };
  const notes = new CycleNotes(host.clock);
  const emit = (event: DaemonEvent): void => {
    notes.hear(event);
    options.emit(event);
  };
  const startedMs = host.clock.nowMs();
  const local = opened.use(await openLocal(options, running));
  const cluster = opened.use(await connect(options));
  const warn = (message: string): void => emit({ type: 'cycle-warned', message });
  const saved = await savedOffsets({ config, host, gate, local, signal, warn });
  const sink = opened.use(await startSink({ ...options, emit }, { cluster, local, saved }));
  running.sink = sink;
  // A sink that fails ends what runs beside it, too.
  const closing = new AbortController();
  const ended = AbortSignal.any([signal, closing.signal]);
  const take = async (accept: Accepted): Promise<CycleReport> =>
    takeSnapshot({ config, host, gate, local, cluster, sink, onEvent: emit, signal: ended }, accept);
  const { clock } = host;
  const retention = new Retention(cluster, { clock, topics: () => sink.topics.keys() });
  if (mode === 'follow') {
    const following = retention.follow(ended);
    opened.defer(async () => following);
  }
  const filling = new Filling();
  const minFreeBytes = config.local.minFree;
  const facts = async (): Promise<DaemonFacts> =>
    factsOf({
      host,
      startedMs,
      sink,
      cycles: running.cycles,
      drills: running.drills,
      gate,
      filling,
      retention,
      repository: running.picture?.looked,
      folder: local.path,
      minFreeBytes,
    });
  const picture = new Picture({ config, host, gate, local, sink, facts, signal: ended, warn }, notes);
  running.picture = picture;
  const isShown = mode === 'follow' && config.observe.page;
  if (isShown) {
    const following = picture.follow();
    opened.defer(async () => following);
  }
  if (mode === 'follow' && config.repository.dir !== undefined) {
    const look = async (): Promise<void> => picture.look();
    running.repack = async (asked) => {
      const { installation } = local.identity;
      const report = await repackInTurn({ ...asked, config, installation, host, gate, signal: ended });
      emit({ type: 'repacked', report });
      await look();
      return report;
    };
    const { following } = await begin(options, running, { take, emit, warn, look, gate, signal: ended });
    opened.defer(async () => void (await following));
  }
  opened.defer(() => closing.abort());
  started.resolve();
  const all = opened.move();
  const page = async (): Promise<PageFacts> => picture.facts();
  return { sink, facts, page, snapshot: take, [Symbol.asyncDispose]: async () => all.disposeAsync() };
}

/** Cycles and drills at their times, neither beside the other. */
async function begin(
  { config, host }: OpenSinkOptions,
  running: Running,
  o: Pick<CyclesOptions, 'take' | 'emit' | 'look' | 'signal'> & {
    emit: (event: DaemonEvent) => void;
    warn: (message: string) => void;
    gate: TargetGate;
  },
): Promise<{ following: Promise<unknown> }> {
  const { warn, gate, ...rest } = o;
  const { emit, signal } = rest;
  const url = config.observe.ping?.reveal();
  const record = await recordOf(host, config);
  const { sinceMs } = record;
  const drills = await drillsOf({
    config,
    host,
    gate,
    cycles: () => running.cycles,
    sinceMs,
    emit,
    signal,
  });
  const cycles = new Cycles({
    host,
    timetable: config.cycle,
    onStart: config.cycle.onStart,
    record,
    ping: url === undefined ? undefined : new Ping({ clock: host.clock, url, warn }),
    clear: async () => drills?.yielded(),
    ...rest,
  });
  running.cycles = cycles;
  running.drills = drills;
  return { following: Promise.all([cycles.follow(), drills?.follow()]) };
}

async function startSink(
  { config, host, emit, mode }: OpenSinkOptions,
  o: { cluster: Cluster; local: LocalFolder; saved: DurableOffsets | undefined },
): Promise<Sink> {
  const { rack, groupId } = config.kafka;
  return await Sink.start({
    cluster: o.cluster,
    local: o.local,
    host,
    emit,
    mode,
    isWanted: (topic) => matchesTopic(config, topic),
    group: groupId,
    ...(rack === undefined ? {} : { rack }),
    ...(o.saved === undefined ? {} : { saved: o.saved }),
    segmentBytes: config.local.segmentBytes,
    inFlightBytes: config.sink.inFlightBytes,
    minFreeBytes: config.local.minFree,
  });
}

/** A cycle of what is on disk, without reading anything new: Kafka is asked for groups and configurations only. */
export async function snapshotOfFiles(options: OpenOptions, accept: Accepted): Promise<CycleReport> {
  const { config, host, emit, signal } = options;
  await using opened = new AsyncDisposableStack();
  const gate = new TargetGate(host);
  const held = { holder: 'snapshot', started: Promise.resolve(), gate } as const;
  const local = opened.use(await openLocal(options, held));
  if (local.identity.cluster === null) {
    throw new VarveError(
      'nothing-selected',
      `local folder ${local.path}: there is nothing to take a snapshot of yet`,
      {
        hint: 'varve backup, or varve run, saves the topics first',
      },
    );
  }
  const reached = await reach(options);
  if (reached.cluster !== undefined) {
    opened.use(reached.cluster);
    await local.bindCluster(reached.cluster.clusterId);
  }
  return await takeSnapshot(
    { config, host, gate, local, ...reached, sink: undefined, onEvent: emit, signal },
    accept,
  );
}

async function reach(options: OpenOptions): Promise<{ cluster: Cluster | undefined; away?: unknown }> {
  try {
    return { cluster: await connect(options) };
  } catch (error) {
    const isAway = error instanceof VarveError && ['kafka-unreachable', 'kafka-refused'].includes(error.code);
    if (!isAway) throw error;
    options.emit({ type: 'cycle-warned', message: `Kafka is away: ${messageOf(error)}` });
    return { cluster: undefined, away: error };
  }
}

async function connect({ config, host, signal }: OpenOptions): Promise<Cluster> {
  return await connectCluster({
    settings: kafkaSettings(config.kafka, host),
    ports: kafkaPorts(host),
    signal,
  });
}

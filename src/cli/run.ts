import type { Config } from '../config/config.ts';
import {
  openSink,
  serveHttp,
  startingPage,
  type HttpOptions,
  type OpenSink,
  type SinkStatus,
} from '../daemon/daemon.ts';
import { messageOf } from '../errors.ts';
import { pause, type Host } from '../host/host.ts';
import {
  bytesText,
  countText,
  openLog,
  plural,
  StatusLine,
  type DaemonFacts,
  type Log,
} from '../observe/observe.ts';
import type { Command } from './command.ts';

const terminalEveryMs = 1000;
const logEveryMs = 60_000;

export const command: Command = {
  name: 'run',
  summary: 'Follow the cluster, save what comes, publish snapshots on schedule',
  description:
    'Reads every included topic, new ones too, into the local folder and commits how far it is on disk to a group ' +
    'of its own. Where a repository is configured, publishes a snapshot by cycle.schedule, and one at once for times ' +
    'that were missed. Serves a page for people, /api/v1, /livez, /readyz and /metrics on observe.port. On SIGTERM or SIGINT it writes what has come, commits and ends with 0; a second one ends it at once, ' +
    'which loses nothing either. Logs are JSON lines on stderr, readable ones on a terminal.',
  examples: [
    ['varve run', 'with what ./varve.yaml says'],
    ['varve run --log-level debug', 'and tell each step'],
  ],
  needs: ['kafka.brokers', 'local.dir'],
  drains: true,
  async run(context) {
    const { host, signal, terminal, errText } = context;
    const config = await context.config();
    const status = new StatusLine(errText, terminal.columns);
    const log = openLog({
      level: config.observe.logLevel,
      isTerminal: terminal.stderr,
      noColor: (context.env['NO_COLOR'] ?? '') !== '',
      write(text) {
        status.clear();
        errText(text);
      },
    });
    log.info('starting', `connecting to ${config.kafka.brokers.join(', ')}`);
    const running: { opened?: OpenSink } = {};
    await using serving = new AsyncDisposableStack();
    const starting = startingFacts(host);
    serving.use(
      await listen(config, log, {
        facts: async () => (await running.opened?.facts()) ?? starting,
        page: async () =>
          (await running.opened?.page()) ??
          startingPage(config, { daemon: starting, nowMs: host.clock.nowMs() }),
      }),
    );
    await using opened = await openSink({ config, host, signal, mode: 'follow', emit: log.event });
    const { sink } = opened;
    running.opened = opened;
    log.info('following', `following ${plural(sink.status.partitions, 'partition')}`, { ...sink.status });
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const finished = sink.finished().finally(() => ended.abort());
    let before = sink.status;
    while (!either.aborted) {
      const everyMs = terminal.stderr ? terminalEveryMs : logEveryMs;
      await pause(host.clock, everyMs, either);
      if (either.aborted) break;
      const now = sink.status;
      if (terminal.stderr) status.show(statusText(now, now.bytes - before.bytes));
      else log.info('status', statusText(now, ((now.bytes - before.bytes) / everyMs) * 1000), { ...now });
      before = now;
    }
    status.clear();
    if (signal.aborted) log.info('stopping', 'told to stop: writing what has come, then committing');
    else await finished;
    await opened[Symbol.asyncDispose]();
    finished.catch(() => undefined); // it was told to stop: that it did is enough
    log.info('stopped', 'everything that was read is on disk', { ...sink.status });
    return 0;
  },
};

/** A port that is taken is no reason to lose records. */
async function listen(
  config: Config,
  log: Log,
  o: Pick<HttpOptions, 'facts' | 'page'>,
): Promise<AsyncDisposable | null> {
  const { host, port, page: isShown } = config.observe;
  try {
    const server = await serveHttp({ host, port, facts: o.facts, page: isShown ? o.page : undefined });
    const paths = `${isShown ? '/, /api/v1, ' : ''}/livez, /readyz, /metrics`;
    log.info('listening', `http://${host}:${server.port}: ${paths}`, { port: server.port });
    return server;
  } catch (error) {
    log.error(
      'not-listening',
      `${messageOf(error)}; the page, health and metrics are not served, everything else goes on`,
    );
    return null;
  }
}

function startingFacts({ clock }: Host): DaemonFacts {
  const trouble = { kafka: [], disk: [] };
  return {
    nowMs: clock.nowMs(),
    retentionMs: new Map(),
    startedMs: clock.nowMs(),
    sink: undefined,
    trouble,
    localFreeBytes: undefined,
    unfinishedRestores: undefined,
    cycles: undefined,
  };
}

function statusText(status: SinkStatus, bytesPerSecond: number): string {
  const { partitions, records, stopped } = status;
  const trouble = stopped === 0 ? '' : `, ${plural(stopped, 'partition')} STOPPED`;
  return `${plural(partitions, 'partition')}, ${countText(records)} records saved, ${bytesText(Math.round(bytesPerSecond))}/s${trouble}`;
}

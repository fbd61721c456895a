import { pause } from '../host/host.ts';
import { bytesText, countText, durationText, type StatusLine } from '../observe/observe.ts';
import type { RestoreProgress } from '../restore/restore.ts';
import type { CommandContext } from './command.ts';
import type { RestoreLog } from './restore-log.ts';

const terminalEveryMs = 250;
const logEveryMs = 10_000;
const barWidth = 24;

export interface ShownRestore {
  /** A question is being asked. */
  pause(): void;
  go(): void;
  stop(): Promise<void>;
}

/** A bar on a terminal, a line every ten seconds elsewhere and in the log, JSON for programs. */
export function showRestore(
  context: CommandContext,
  o: {
    status: StatusLine;
    progress: RestoreProgress;
    log?: RestoreLog;
    schema?: 'varve.restore/1' | 'varve.drill/1';
  },
): ShownRestore {
  const { host, json, terminal } = context;
  const { status, progress, log, schema = 'varve.restore/1' } = o;
  const isBar = terminal.stderr && !json;
  const stop = new AbortController();
  let isPaused = false;
  let writingSinceMs: number | undefined;
  const tell = (toldMs: number): number => {
    const nowMs = host.clock.nowMs();
    if (progress.phase === 'writing') writingSinceMs ??= nowMs;
    const elapsedMs = writingSinceMs === undefined ? 0 : nowMs - writingSinceMs;
    const text = progressText(progress, elapsedMs);
    if (isBar) status.show(text);
    if (nowMs - toldMs < logEveryMs) return toldMs;
    log?.add(text);
    if (json) void context.out(JSON.stringify({ schema, type: 'progress', ...progress, elapsedMs }));
    else if (!isBar) context.err(text);
    return nowMs;
  };
  const work = async (): Promise<void> => {
    let toldMs = host.clock.nowMs();
    for (;;) {
      await pause(host.clock, terminalEveryMs, stop.signal);
      if (stop.signal.aborted) return;
      if (!isPaused) toldMs = tell(toldMs);
    }
  };
  const done = work();
  return {
    pause: () => {
      isPaused = true;
    },
    go: () => {
      isPaused = false;
    },
    async stop() {
      stop.abort();
      await done;
      status.clear();
    },
  };
}

export function progressText(progress: RestoreProgress, elapsedMs: number): string {
  const { phase, scannedRecords, ackedRecords, ackedBytes, comparedRecords, totalRecords } = progress;
  if (phase === 'reading') return `reading the backup: ${countText(scannedRecords)} records`;
  if (phase !== 'writing') return `restore: ${phase}`;
  const share = totalRecords === 0 ? 1 : Math.min(1, ackedRecords / totalRecords);
  const filled = Math.floor(share * barWidth);
  const bar = `[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}]`;
  const rate = elapsedMs > 0 ? (ackedBytes / elapsedMs) * 1000 : 0;
  const left = share > 0.001 ? durationText((elapsedMs / share) * (1 - share)) : 'unknown';
  return (
    `${bar} ${Math.floor(share * 100)} %  ${countText(ackedRecords)} records, ${bytesText(ackedBytes)}, ` +
    `${bytesText(rate)}/s, ${countText(comparedRecords)} compared, ${left} left`
  );
}

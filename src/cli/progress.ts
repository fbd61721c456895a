import type { Progress } from '../daemon/daemon.ts';
import { pause } from '../host/host.ts';
import { bytesText, countText, durationText, type StatusLine } from '../observe/observe.ts';
import type { CommandContext } from './command.ts';

const terminalEveryMs = 250;
const jsonEveryMs = 10_000;
const plainEveryMs = 60_000;

/** Shows how far the work has come: a bar on a terminal, a line a minute elsewhere, JSON for programs. */
export function showProgress(
  context: CommandContext,
  status: StatusLine,
  look: () => Progress | undefined,
): { stop(): Promise<void> } {
  const { host, json, terminal } = context;
  const isBar = terminal.stderr && !json;
  const everyMs = json ? jsonEveryMs : plainEveryMs;
  const stop = new AbortController();
  const beganMs = host.clock.nowMs();
  const work = async (): Promise<void> => {
    for (;;) {
      await pause(host.clock, isBar ? terminalEveryMs : everyMs, stop.signal);
      if (stop.signal.aborted) return;
      const progress = look();
      if (progress === undefined) continue;
      const elapsedMs = host.clock.nowMs() - beganMs;
      if (json) await context.out(progressDocument(progress, elapsedMs));
      else if (isBar) status.show(progressText(progress, elapsedMs));
      else context.err(progressText(progress, elapsedMs));
    }
  };
  const done = work();
  return {
    async stop() {
      stop.abort();
      await done;
      status.clear();
    },
  };
}

function progressDocument(progress: Progress, elapsedMs: number): string {
  const { doneOffsets, totalOffsets, records, bytes } = progress;
  return JSON.stringify({
    schema: 'varve.backup/1',
    type: 'progress',
    doneOffsets: String(doneOffsets),
    totalOffsets: String(totalOffsets),
    records,
    bytes,
    elapsedMs,
  });
}

const barWidth = 24;

export function progressText(progress: Progress, elapsedMs: number): string {
  const { doneOffsets, totalOffsets, records, bytes } = progress;
  const share = totalOffsets === 0n ? 1 : Number((doneOffsets * 10_000n) / totalOffsets) / 10_000;
  const filled = Math.floor(share * barWidth);
  const bar = `[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}]`;
  const rate = elapsedMs > 0 ? (bytes / elapsedMs) * 1000 : 0;
  const left = share > 0.001 ? durationText((elapsedMs / share) * (1 - share)) : 'unknown';
  return `${bar} ${Math.floor(share * 100)} %  ${countText(records)} records  ${bytesText(rate)}/s  ${left} left`;
}

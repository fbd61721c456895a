import type { OrderWaits } from '../daemon/daemon.ts';
import { bytesText, durationText, type DaemonEvent, type StatusLine } from '../observe/observe.ts';
import type { CommandContext } from './command.ts';

const terminalEveryMs = 250;
const jsonEveryMs = 10_000;
const plainEveryMs = 60_000;
const barWidth = 24;

/** Shows how far a cycle has come: a bar on a terminal, a line a minute elsewhere, JSON for programs. */
export class CycleProgress {
  readonly #context: CommandContext;
  readonly #status: StatusLine;
  readonly #schema: string;
  readonly #everyMs: number;
  #toldMs: number;
  #beganMs: number;

  constructor(context: CommandContext, status: StatusLine, schema: string) {
    this.#context = context;
    this.#status = status;
    this.#schema = schema;
    this.#beganMs = context.host.clock.nowMs();
    this.#toldMs = this.#beganMs;
    if (context.json) this.#everyMs = jsonEveryMs;
    else this.#everyMs = context.terminal.stderr ? terminalEveryMs : plainEveryMs;
  }

  event(event: DaemonEvent | OrderWaits): void {
    if (event.type === 'order-waits') return this.#wait(event);
    const nowMs = this.#context.host.clock.nowMs();
    if (event.type === 'cycle-phase') {
      this.#beganMs = nowMs;
      if (this.#isBar) this.#status.show(`cycle: ${event.phase}`);
      return;
    }
    const isRead = event.type === 'verify-progress';
    if (!isRead && event.type !== 'cycle-progress') return;
    if (nowMs - this.#toldMs < this.#everyMs) return;
    this.#toldMs = nowMs;
    const doneBytes = isRead ? event.readBytes : event.doneBytes;
    this.#tell(
      isRead ? 'read' : 'sealed',
      { doneBytes, totalBytes: event.totalBytes },
      nowMs - this.#beganMs,
    );
  }

  #wait(waits: OrderWaits): void {
    const { type: _, ...what } = waits;
    this.#status.clear();
    if (!this.#context.json) this.#context.err(waitingText(waits));
    else void this.#context.out(JSON.stringify({ schema: this.#schema, type: 'waiting', ...what }));
  }

  get #isBar(): boolean {
    return this.#context.terminal.stderr && !this.#context.json;
  }

  #tell(verb: string, o: { doneBytes: number; totalBytes: number }, elapsedMs: number): void {
    const { doneBytes, totalBytes } = o;
    if (this.#context.json) {
      const line = { schema: this.#schema, type: 'progress', phase: verb, doneBytes, totalBytes, elapsedMs };
      void this.#context.out(JSON.stringify(line));
      return;
    }
    const share = totalBytes === 0 ? 1 : doneBytes / totalBytes;
    const filled = Math.floor(share * barWidth);
    const bar = `[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}]`;
    const rate = elapsedMs > 0 ? (doneBytes / elapsedMs) * 1000 : 0;
    const left = share > 0.001 ? durationText((elapsedMs / share) * (1 - share)) : 'unknown';
    const text = `${bar} ${Math.floor(share * 100)} %  ${verb} ${bytesText(doneBytes)}  ${bytesText(rate)}/s  ${left} left`;
    if (this.#isBar) this.#status.show(text);
    else this.#context.err(text);
  }
}

const aheadTexts = {
  start: 'it is starting',
  cycle: 'a cycle is running',
  drill: 'a drill is running',
  look: 'it looks at the repository',
} as const satisfies Record<OrderWaits['for'], string>;

export function waitingText({ for: ahead, since }: OrderWaits): string {
  return `waiting for the daemon: ${aheadTexts[ahead]}, since ${since}`;
}

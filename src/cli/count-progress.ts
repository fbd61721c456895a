import { bytesText, countText, StatusLine } from '../observe/observe.ts';
import type { CommandContext } from './command.ts';

const terminalEveryMs = 250;
const everyMs = 10_000;

/** How far something has come whose end nobody knows: one line on a terminal, one every ten seconds elsewhere. */
export class CountProgress {
  readonly #context: CommandContext;
  readonly #schema: string | undefined;
  readonly #verb: string;
  readonly #status: StatusLine;
  #records = 0;
  #bytes = 0;
  #toldMs: number;

  /** Without a schema nothing is told to programs. */
  constructor(context: CommandContext, o: { schema: string | undefined; verb: string }) {
    this.#context = context;
    this.#schema = o.schema;
    this.#verb = o.verb;
    this.#status = new StatusLine(context.errText, context.terminal.columns);
    this.#toldMs = context.host.clock.nowMs();
  }

  add(records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
    const { json, terminal, err, out, host } = this.#context;
    const isLine = terminal.stderr && !json;
    const nowMs = host.clock.nowMs();
    if (nowMs - this.#toldMs < (isLine ? terminalEveryMs : everyMs)) return;
    this.#toldMs = nowMs;
    const size = this.#bytes === 0 ? '' : `, ${bytesText(this.#bytes)}`;
    const text = `${this.#verb}: ${countText(this.#records)} records${size}`;
    if (isLine) this.#status.show(text);
    else if (!json) err(text);
    else if (this.#schema !== undefined) {
      const line = { schema: this.#schema, type: 'progress', records: this.#records, bytes: this.#bytes };
      void out(JSON.stringify(line));
    }
  }

  end(): void {
    this.#status.clear();
  }
}

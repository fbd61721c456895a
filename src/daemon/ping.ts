import { codeOf, type Clock } from '../host/host.ts';

export type PingMoment = 'start' | 'success' | 'fail';

export interface PingOptions {
  readonly clock: Clock;
  /** May carry a token: nothing that is told names it. */
  readonly url: string;
  readonly warn: (message: string) => void;
}

const answerMaxMs = 10_000;

const suffixes = { start: '/start', success: '', fail: '/fail' } satisfies Record<PingMoment, string>;

/**
 * Tells a dead-man's switch about cycles: whoever watches it is called when nothing comes any more.
 *
 * No cycle waits for it, and none fails because of it. How a cycle ended overtakes a start that nobody answers, so
 * that the latest word is always the last one to arrive.
 */
export class Ping {
  readonly #o: PingOptions;
  #telling: { readonly overtaken: AbortController; readonly done: Promise<void> } | undefined;

  constructor(options: PingOptions) {
    this.#o = options;
  }

  tell(moment: PingMoment): void {
    const before = this.#telling;
    const overtaken = new AbortController();
    before?.overtaken.abort();
    this.#telling = { overtaken, done: this.#after(before?.done, { moment, overtaken: overtaken.signal }) };
  }

  /** Once the last word has arrived, or was given up. */
  async settled(): Promise<void> {
    await this.#telling?.done;
  }

  async #after(
    before: Promise<void> | undefined,
    { moment, overtaken }: { moment: PingMoment; overtaken: AbortSignal },
  ): Promise<void> {
    await before;
    const { clock, url, warn } = this.#o;
    const late = new AbortController();
    const timer = clock.after(answerMaxMs, () => late.abort());
    try {
      const { address, headers } = addressOf(url, moment);
      const answer = await fetch(address, { headers, signal: AbortSignal.any([late.signal, overtaken]) });
      await answer.body?.cancel();
      if (!answer.ok) warn(`observe.ping: ${moment} was answered with status ${answer.status}`);
    } catch (error) {
      const why = late.signal.aborted ? `no answer within ${answerMaxMs / 1000} s` : reasonOf(error);
      if (!overtaken.aborted) warn(`observe.ping: ${moment} could not be told: ${why}`);
    } finally {
      timer.cancel();
    }
  }
}

/** The moment goes to the end of the path, before what is asked. A name and password go into a header, as fetch wants it. */
function addressOf(url: string, moment: PingMoment): { address: URL; headers: Record<string, string> } {
  const address = new URL(url);
  if (moment !== 'success') address.pathname = address.pathname.replace(/\/$/, '') + suffixes[moment];
  const { username, password } = address;
  if (username === '' && password === '') return { address, headers: {} };
  address.username = '';
  address.password = '';
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { address, headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } };
}

/** A code and nothing else: the words of the system name the address. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return codeOf(cause) ?? 'the request failed';
}

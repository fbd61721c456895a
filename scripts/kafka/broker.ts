/**
 * One broker: a JVM of its own that can be killed, stopped, started again with the same data and ports, and frozen. It lives
 * as long as the pipe to its standard input is open, so it cannot outlive this process however this process ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { knownBrokers } from './probe.ts';

export type BrokerPlan = {
  readonly id: number;
  readonly port: number;
  readonly logDir: string;
  readonly logFile: string;
  readonly propertiesFile: string;
  /** Removed when the owner of the broker is gone. */
  readonly clusterFolder: string;
  readonly javaArgs: readonly string[];
  readonly formatArgs: readonly string[];
  /** Added to its properties when it is started again. */
  readonly propertiesAgain: string;
};

const readyWithinMs = 180_000;
const answerWithinMs = 10_000;
const pollEveryMs = 25;
const stopWithinMs = 60_000;

export class KafkaBroker {
  readonly id: number;
  readonly address: string;
  readonly logDir: string;
  readonly #plan: BrokerPlan;
  #child: ChildProcess | undefined;
  #formatted = false;
  #guard: ChildProcess | undefined;

  constructor(plan: BrokerPlan) {
    this.#plan = plan;
    this.id = plan.id;
    this.address = `127.0.0.1:${plan.port}`;
    this.logDir = plan.logDir;
  }

  /** Of the JVM; 0 while there is none. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts the JVM and returns when it answers and knows these brokers (by default: itself). */
  async start(expected: readonly number[] = [this.id]): Promise<void> {
    if (this.#child !== undefined) throw new Error(`broker ${this.id} runs already, as process ${this.pid}`);
    const format = this.#formatted ? [] : this.#plan.formatArgs;
    if (this.#formatted) await appendFile(this.#plan.propertiesFile, this.#plan.propertiesAgain);
    const output = openSync(this.#plan.logFile, 'a');
    const main = ['varve.BrokerMain', this.#plan.clusterFolder, this.#plan.propertiesFile, ...format];
    // Detached: Ctrl-C goes to the whole process group of a terminal, and only the owner decides when a broker stops.
    const child = spawn('java', [...this.#plan.javaArgs, ...main], {
      stdio: ['pipe', output, output],
      detached: true,
    });
    closeSync(output);
    child.stdin?.on('error', () => undefined);
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    await once(child, 'spawn');
    this.#child = child;
    try {
      await this.#ready(child, expected);
    } catch (error) {
      await this.kill();
      throw error;
    }
    this.#formatted = true;
  }

  /** SIGKILL, as a power cut would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM: a controlled shutdown. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /**
   * SIGSTOP: it keeps its connections and answers nothing. A frozen JVM would not see that its owner is gone, so a shell
   * that holds a pipe to us wakes it up then.
   */
  suspend(): void {
    const child = this.#running();
    this.#releaseGuard();
    const script = `read -r released || kill -CONT ${child.pid}`;
    const guard = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    guard.stdin.on('error', () => undefined);
    this.#guard = guard;
    child.kill('SIGSTOP');
  }

  /** SIGCONT. */
  resume(): void {
    this.#running().kill('SIGCONT');
    this.#releaseGuard();
  }

  #running(): ChildProcess {
    if (this.#child === undefined) throw new Error(`broker ${this.id} does not run`);
    return this.#child;
  }

  #releaseGuard(): void {
    this.#guard?.stdin?.end('released\n');
    this.#guard = undefined;
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    // A frozen process takes no SIGTERM.
    child.kill('SIGCONT');
    this.#releaseGuard();
    const deadline = new AbortController();
    const overdue = delay(stopWithinMs, undefined, { signal: deadline.signal }).then(
      () => child.kill('SIGKILL'),
      () => undefined,
    );
    await exited;
    deadline.abort();
    await overdue;
    child.stdin?.destroy();
  }

  async #ready(child: ChildProcess, expected: readonly number[]): Promise<void> {
    const deadline = performance.now() + readyWithinMs;
    let last: unknown;
    while (performance.now() < deadline) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`broker ${this.id} ended while it started:\n${await this.#logTail()}`);
      }
      try {
        const known = await knownBrokers(this.#plan.port, AbortSignal.timeout(answerWithinMs));
        if (expected.every((id) => known.includes(id))) return;
        last = new Error(`it knows the brokers ${known.join(', ')}`);
      } catch (error) {
        last = error;
      }
      await delay(pollEveryMs);
    }
    const tail = await this.#logTail();
    throw new Error(`broker ${this.id} did not answer in ${readyWithinMs} ms:\n${tail}`, { cause: last });
  }

  async #logTail(): Promise<string> {
    const lines = (await readFile(this.#plan.logFile, 'utf8')).trimEnd().split('\n');
    return lines.slice(-40).join('\n');
  }
}

import { VarveError, messageOf } from '../errors.ts';
import { kafkaError, type Fetcher, type FetchedPartition, type FetchResponse } from '../kafka/kafka.ts';
import { pause, steadyMs, type Clock } from '../host/host.ts';
import { judge, locate, type Located } from './accept.ts';
import type { Budget } from './budget.ts';
import type { Emit } from './events.ts';
import type { Lane } from './lane.ts';
import { partitionId, questionOf, type Question } from './question.ts';
import type { PartitionStream } from './stream.ts';
import { Suspects } from './suspects.ts';

export interface BrokerPorts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly budget: Budget;
  /** Of all loops, so that what one fetched and another goes on with is written in order. */
  readonly lane: Lane;
  /** Resolves when there is room on the disk. */
  readonly room: (signal: AbortSignal) => Promise<void>;
  readonly openFetcher: (brokerId: number) => Promise<Fetcher>;
  /** The partitions that may be asked for, whatever their leader. */
  readonly streams: () => Iterable<PartitionStream>;
  /** How much one answer may hold. */
  readonly answerBytes: () => number;
  readonly minBytes: number;
  readonly rack: string | undefined;
  /** An error code that this loop does not settle by itself. */
  readonly onPartitionError: (stream: PartitionStream, answer: FetchedPartition) => void;
  /** A replica is to be asked from now on. */
  readonly onReplica: (brokerId: number) => void;
  readonly onProgress: () => void;
  readonly onBrokerLost: () => void;
}

interface Asked {
  readonly questions: ReadonlyMap<string, Question>;
  /** A good answer for these ends the doubt. */
  readonly doubted: ReadonlySet<PartitionStream>;
  readonly reservedBytes: number;
  /** Before this an answer without news is none to act on at once. */
  readonly noNewsMs: number;
  readonly answer: Promise<FetchResponse>;
}

interface Arrival {
  readonly question: Question;
  readonly located: Located;
  readonly answer: FetchedPartition;
}

const waitMs = 500;
/** An answer without news comes after `waitMs`; a broker that does not wait is not asked more often than this. */
const noNewsAfterMs = 100;
const idlePollMs = 1000;
const lostFirstMs = 250;
const lostMaxMs = 10_000;
const partitionsPerRequestMax = 10_000;
/** So often everything is asked anew, whatever the broker remembers. */
const sessionMaxMs = 300_000;

/**
 * Asks one broker for its partitions, one request at a time, with the next one on its way while the last answer is
 * checked and written. A broker fills the first partitions of a request and starves the rest, so their order rotates.
 */
export class BrokerLoop {
  readonly brokerId: number;
  readonly #ports: BrokerPorts;
  #fetcher: Fetcher | undefined;
  #turn = 0;
  #losses = 0;
  #wake: (() => void) | undefined;
  readonly #suspects = new Suspects();
  #questions: ReadonlyMap<PartitionStream, Question> = new Map();
  #freshMs = -Infinity;
  readonly #keeping = new Set<Promise<void>>();

  constructor(brokerId: number, ports: BrokerPorts) {
    this.brokerId = brokerId;
    this.#ports = ports;
  }

  /** Something may be askable that was not. */
  wake(): void {
    this.#wake?.();
  }

  /** Runs until the signal is aborted; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    let asked: Asked | undefined;
    while (!signal.aborted) {
      try {
        await this.#ports.room(signal);
        asked ??= await this.#ask(signal);
        if (asked === undefined) {
          await this.#idle(signal);
          continue;
        }
        const current = asked;
        asked = undefined;
        const response = await this.#answerOf(current);
        this.#back();
        const arrivals = this.#locate(current, response);
        try {
          if (arrivals.length === 0) await this.#breathe(current, signal);
          asked = await this.#ask(signal);
        } finally {
          this.#keep(arrivals, response); // they count as fetched, so they must be kept whatever happens here
        }
      } catch (error) {
        if (asked !== undefined) await this.#forget(asked);
        asked = undefined;
        if (!signal.aborted) await this.#lost(error, signal);
      }
    }
    if (asked !== undefined) await this.#forget(asked);
    await Promise.all(this.#keeping);
    await this.#fetcher?.[Symbol.asyncDispose]();
  }

  async #ask(signal: AbortSignal): Promise<Asked | undefined> {
    const all = this.#askable();
    const suspect = this.#suspects.among(all);
    const askable = suspect === undefined ? all : [suspect];
    if (askable.length === 0 || signal.aborted) return undefined;
    const reservedBytes = this.#ports.answerBytes();
    if (!this.#ports.budget.tryTake(reservedBytes)) return undefined;
    try {
      this.#fetcher ??= await this.#ports.openFetcher(this.brokerId);
      const before = this.#questions;
      const questions = askable.map((stream) => questionOf(stream, before.get(stream)));
      this.#questions = new Map(questions.map((question) => [question.stream, question]));
      const nowMs = steadyMs(this.#ports.clock);
      const mayLeave = askable.every((stream) => stream.mayAskReplica(nowMs));
      const rackId = mayLeave ? this.#ports.rack : undefined;
      const answer = this.#fetcher.fetch(
        {
          maxWaitMs: suspect === undefined ? waitMs : 0,
          minBytes: this.#ports.minBytes,
          maxBytes: reservedBytes,
          ...(rackId === undefined ? {} : { rackId }),
          partitions: questions.map(({ row }) => row),
          session: this.#session(nowMs),
        },
        signal,
      );
      answer.catch(() => undefined); // awaited later: until then a failure is nobody's surprise
      const noNewsMs = suspect === undefined ? nowMs + noNewsAfterMs : nowMs;
      const byId = new Map(questions.map((one) => [one.id, one]));
      const doubted = new Set(askable.filter((stream) => stream.isDoubted));
      return { questions: byId, doubted, reservedBytes, noNewsMs, answer };
    } catch (error) {
      this.#ports.budget.give(reservedBytes);
      throw error;
    }
  }

  #session(nowMs: number): 'fresh' | 'continued' {
    const isFresh = nowMs - this.#freshMs >= sessionMaxMs || nowMs < this.#freshMs;
    if (isFresh) this.#freshMs = nowMs;
    return isFresh ? 'fresh' : 'continued';
  }

  #askable(): PartitionStream[] {
    const nowMs = steadyMs(this.#ports.clock);
    const mine = [...this.#ports.streams()].filter((stream) => stream.isAskable(this.brokerId, nowMs));
    this.#turn += 1;
    const first = mine.length === 0 ? 0 : this.#turn % mine.length;
    return [...mine.slice(first), ...mine.slice(0, first)].slice(0, partitionsPerRequestMax);
  }

  async #idle(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const either = AbortSignal.any([signal, stop.signal]);
    await Promise.race([
      pause(this.#ports.clock, idlePollMs, either),
      woken,
      this.#ports.budget.change(either),
    ]);
    stop.abort();
    this.#wake = undefined;
  }

  async #breathe({ noNewsMs }: Asked, signal: AbortSignal): Promise<void> {
    const restMs = noNewsMs - steadyMs(this.#ports.clock);
    if (restMs > 0) await pause(this.#ports.clock, Math.min(restMs, noNewsAfterMs), signal);
  }

  async #answerOf(asked: Asked): Promise<FetchResponse> {
    let response: FetchResponse;
    try {
      response = await asked.answer;
    } catch (error) {
      this.#ports.budget.give(asked.reservedBytes);
      this.#suspects.judge(streamsOf(asked), error);
      throw error;
    }
    this.#suspects.clear(streamsOf(asked));
    this.#ports.budget.adjust(response.byteLength - asked.reservedBytes);
    const problem = problemOf(asked, response);
    if (problem === undefined) return response;
    this.#ports.budget.give(response.byteLength);
    response.release();
    throw new VarveError('failed', `fetch from broker ${this.brokerId}: ${problem}`, { retryable: true });
  }

  async #forget(asked: Asked): Promise<void> {
    try {
      const response = await asked.answer;
      response.release();
    } catch {
      // It failed before it was wanted; the partitions are asked for again.
    } finally {
      this.#ports.budget.give(asked.reservedBytes);
    }
  }

  #locate(asked: Asked, response: FetchResponse): Arrival[] {
    const arrivals: Arrival[] = [];
    const [first] = response.isWhole ? asked.questions.values() : [];
    if (!response.isWhole && response.throttleMs === 0) noteStanding(asked, response);
    for (const answer of response.partitions) {
      const question = asked.questions.get(partitionId(answer));
      // Somebody else was asked meanwhile, and was faster; or it begins anew.
      if (question === undefined || !stands(question)) {
        this.#freshMs = -Infinity; // the broker does not say the same again
        continue;
      }
      const { stream, from } = question;
      if (answer.errorCode !== 0 || answer.diverging !== undefined) {
        if (!stream.askLeader()) this.#ports.onPartitionError(stream, answer);
        continue;
      }
      if (answer.preferredReadReplica >= 0) {
        stream.askReplica(answer.preferredReadReplica);
        this.#ports.onReplica(answer.preferredReadReplica);
        continue;
      }
      if (asked.doubted.has(stream)) stream.isDoubted = false;
      stream.settle();
      stream.noteStable(answer.lastStableOffset, answer.highWatermark);
      const located = locate(answer.records, { asked: from, isFirst: question === first });
      stream.advance(located);
      if (located.batches.length > 0 || located.problem !== undefined) {
        arrivals.push({ question, located, answer });
      }
    }
    this.#ports.onProgress();
    return arrivals;
  }

  /** Checks and hands over; the answer's buffer is given back when the last of it is written. */
  #keep(arrivals: readonly Arrival[], response: FetchResponse): void {
    const writes = arrivals.map(async (arrival) => this.#ports.lane.run(async () => this.#keepOne(arrival)));
    const kept = Promise.allSettled(writes).then(() => {
      this.#keeping.delete(kept);
      response.release();
      this.#ports.budget.give(response.byteLength);
      this.#ports.onProgress();
    });
    this.#keeping.add(kept);
  }

  async #keepOne({ question, located, answer }: Arrival): Promise<void> {
    const { stream, from, generation } = question;
    if (generation !== stream.generation) return;
    const { log } = stream;
    try {
      const { kept, end, epochStarts, problem } = judge(answer.records, {
        asked: from,
        located,
        aborted: answer.aborted,
      });
      // Doubted before anything is awaited: no later answer may be taken for the one that follows.
      if (problem !== undefined) stream.doubt(end, located.isTooLarge ? 'too large' : 'damaged', problem);
      if (end.offset === from.offset) return;
      await log.append({ bytes: answer.records, batches: kept, end, epochStarts });
      let records = 0;
      let bytes = 0;
      for (const header of kept) {
        records += header.recordCount;
        bytes += header.byteLength;
      }
      stream.accepted(records, bytes);
    } catch (error) {
      if (log === stream.log) stream.reopen(error); // not awaited: the answer's memory is wanted by others
    }
  }

  #back(): void {
    if (this.#losses > 0) this.#ports.emit({ type: 'broker-back', brokerId: this.brokerId });
    this.#losses = 0;
  }

  async #lost(error: unknown, signal: AbortSignal): Promise<void> {
    const fetcher = this.#fetcher;
    this.#fetcher = undefined;
    await fetcher?.[Symbol.asyncDispose]();
    const message = messageOf(error);
    if (this.#losses === 0) this.#ports.emit({ type: 'broker-lost', brokerId: this.brokerId, message });
    for (const stream of this.#askable()) if (!stream.askLeader()) stream.retryLater(message, true);
    this.#ports.onBrokerLost();
    const delayMs = Math.min(lostFirstMs * 2 ** this.#losses, lostMaxMs);
    this.#losses += 1;
    await pause(this.#ports.clock, delayMs, signal);
  }
}

/** A broker answers for each partition that it was asked for, once, and for no other: less would be asked for ever. */
function problemOf(asked: Asked, response: FetchResponse): string | undefined {
  if (response.errorCode !== 0) {
    const { name, text } = kafkaError(response.errorCode);
    return `${name}: ${text}`;
  }
  if (response.throttleMs > 0 && response.partitions.length === 0) return undefined;
  const answered = new Set(response.partitions.map(partitionId));
  const stray = [...answered].find((id) => !asked.questions.has(id));
  if (stray !== undefined) return `an answer for ${stray}, for which nobody had asked`;
  const { length } = response.partitions;
  const isComplete = !response.isWhole || answered.size === asked.questions.size;
  if (isComplete && length === answered.size) return undefined;
  return `expected an answer for each of ${asked.questions.size} partitions, got ${length} for ${answered.size}`;
}

function streamsOf({ questions }: Asked): PartitionStream[] {
  return [...questions.values()].map(({ stream }) => stream);
}

/** What an answer leaves out is as it was. */
function noteStanding({ questions, doubted }: Asked, { partitions }: FetchResponse): void {
  const answered = new Set(partitions.map(partitionId));
  for (const question of questions.values()) {
    if (answered.has(question.id) || !stands(question)) continue;
    if (doubted.has(question.stream)) question.stream.isDoubted = false;
    question.stream.stay();
  }
}

function stands({ stream, generation, from }: Question): boolean {
  return generation === stream.generation && from.offset === stream.next.offset;
}

import type { FetchPartition } from './records.ts';

/** What one request of a session says: the partitions that changed since the last one, and those to be left out. */
export interface SessionStep {
  readonly id: number;
  /** 0 begins a session anew; -1 asks without one. */
  readonly epoch: number;
  readonly partitions: readonly FetchPartition[];
  readonly forgotten: readonly FetchPartition[];
}

export function withoutSession(partitions: readonly FetchPartition[]): SessionStep {
  return { id: 0, epoch: -1, partitions, forgotten: [] };
}

/** FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR: begin anew. */
const sessionLost = new Set([70, 71, 106]);

const epochMax = 2 ** 31 - 1;

/**
 * A fetch session (KIP-227): the broker remembers what is asked for, so that a request names what changed and an answer
 * what is new. With thousands of quiet partitions both are some bytes instead of a hundred kilobytes twice a second.
 * One request at a time. A broker that gives no session is asked for everything each time.
 */
export class FetchSession {
  #id = 0;
  #epoch = 0;
  /** As the broker knows them. A row that is the same object is the same question. */
  readonly #rows = new Set<FetchPartition>();
  readonly #byPlace = new Map<string, FetchPartition>();

  /** The broker forgets what it knew: the next request says everything, and so does its answer. */
  renew(): void {
    this.#epoch = 0;
    this.#rows.clear();
    this.#byPlace.clear();
  }

  step(wanted: readonly FetchPartition[]): SessionStep {
    const { fresh, forgotten } = this.#change(wanted);
    return { id: this.#id, epoch: this.#epoch, partitions: fresh, forgotten };
  }

  /** What the broker said of the session. False where it has none of this number and everything must be said again. */
  heard(answer: { errorCode: number; sessionId: number }): boolean {
    if (sessionLost.has(answer.errorCode)) {
      this.#id = 0;
      this.renew();
      return false;
    }
    if (answer.errorCode !== 0 || answer.sessionId === 0) {
      this.#id = 0;
      this.renew();
      return true;
    }
    this.#id = answer.sessionId;
    this.#epoch = this.#epoch === epochMax ? 1 : this.#epoch + 1;
    return true;
  }

  #change(wanted: readonly FetchPartition[]): { fresh: FetchPartition[]; forgotten: FetchPartition[] } {
    const fresh: FetchPartition[] = [];
    for (const row of wanted) {
      if (this.#rows.has(row)) continue;
      const place = placeOf(row);
      const before = this.#byPlace.get(place);
      if (before !== undefined) this.#rows.delete(before);
      this.#rows.add(row);
      this.#byPlace.set(place, row);
      fresh.push(row);
    }
    if (this.#rows.size === wanted.length) return { fresh, forgotten: [] };
    const kept = new Set(wanted);
    const forgotten = [...this.#rows].filter((row) => !kept.has(row));
    for (const row of forgotten) {
      this.#rows.delete(row);
      this.#byPlace.delete(placeOf(row));
    }
    return { fresh, forgotten };
  }
}

function placeOf({ topicId, partition }: FetchPartition): string {
  return `${topicId}/${partition}`;
}

/** So long the leader's word counts; then it is asked again, since it knows which replicas keep up. */
const preferredForMs = 300_000;
/** So long nothing but the leader is asked after a replica failed. */
const leaderOnlyMs = 60_000;

/** From where a partition is read that a replica near us has, too. */
export class Source {
  #replica: { readonly brokerId: number; readonly untilMs: number } | undefined;
  #leaderOnlyUntilMs = -Infinity;

  /** Undefined for the leader. */
  at(nowMs: number): number | undefined {
    return this.#replica !== undefined && nowMs < this.#replica.untilMs ? this.#replica.brokerId : undefined;
  }

  prefer(brokerId: number, nowMs: number): void {
    if (this.mayLeaveLeader(nowMs)) this.#replica = { brokerId, untilMs: nowMs + preferredForMs };
  }

  mayLeaveLeader(nowMs: number): boolean {
    return nowMs >= this.#leaderOnlyUntilMs;
  }

  /** True where it was a replica that was asked. */
  leave(nowMs: number): boolean {
    if (this.#replica === undefined) return false;
    this.#replica = undefined;
    this.#leaderOnlyUntilMs = nowMs + leaderOnlyMs;
    return true;
  }

  /** Another leader: it has its own word. */
  forget(): void {
    this.#replica = undefined;
  }
}

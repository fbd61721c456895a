import { messageOf } from '../errors.ts';
import { isDiskFull, pause, type Clock } from '../host/host.ts';
import type { Emit } from './events.ts';
import type { Commits } from './group.ts';
import type { PartitionStream } from './stream.ts';

const lastCommitMs = 3000;
const commitPatienceMs = 10_000;

/** Waits for a commit, and no longer than it may matter: what is on disk is safe without it. */
export async function committedOrLate(commit: Promise<void>, clock: Clock): Promise<void> {
  const isDone = new AbortController();
  try {
    await Promise.race([commit, pause(clock, commitPatienceMs, isDone.signal)]);
  } finally {
    isDone.abort();
  }
}

/** Writes what has come, makes it durable and closes the files; then says so to the group. */
export async function closeAll(
  streams: readonly PartitionStream[],
  o: { commits: Commits; clock: Clock; emit: Emit },
): Promise<void> {
  for (const stream of streams) await closeOne(stream, o.emit);
  await lastCommit(streams, o);
}

async function closeOne(stream: PartitionStream, emit: Emit): Promise<void> {
  await stream.settled();
  try {
    await stream.log[Symbol.asyncDispose]();
  } catch (error) {
    emit({ type: 'disk-refused', message: messageOf(error), isFull: isDiskFull(error) });
    await stream.log.abandon().catch(() => undefined); // told just before; the next start recovers the files
  }
}

/** What is on disk is safe without it, so a coordinator that hangs does not hold up the end for long. */
async function lastCommit(
  streams: readonly PartitionStream[],
  { commits, clock, emit }: { commits: Commits; clock: Clock; emit: Emit },
): Promise<void> {
  const giveUp = new AbortController();
  const timer = clock.after(lastCommitMs, () => giveUp.abort());
  try {
    await commits.commit(streams, { isLast: true, signal: giveUp.signal });
  } catch (error) {
    emit({ type: 'commit-failed', message: messageOf(error) });
  } finally {
    timer.cancel();
  }
}

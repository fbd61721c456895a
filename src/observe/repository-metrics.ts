import type { DaemonFacts, RepositoryFacts, RepositoryFound } from './facts.ts';
import { gauge, seconds, type Metric } from './samples.ts';

/** What the repository itself tells, so that a restart, or a lost local disk, forgets nothing. */
export function repositoryMetrics({ repository }: DaemonFacts): Metric[] {
  const found = repository?.found;
  if (found === undefined) return [];
  const { snapshots, problems, keySlots, keyProblems, reads, lookedMs } = found;
  const newest = newestOf(repository);
  const verified = snapshots.findLast((row) => row.verified);
  return [
    gauge(
      'varve_repository_looked_time_seconds',
      'When the repository was last looked at.',
      seconds(lookedMs),
    ),
    gauge('varve_repository_problems', 'What is damaged, missing or rolled back.', problems.length),
    gauge('varve_snapshots', 'Snapshots that are there.', snapshots.length),
    gauge('varve_snapshot_newest_time_seconds', 'When the newest was taken.', seconds(newest?.takenMs)),
    gauge(
      'varve_snapshot_newest_verified_time_seconds',
      'When the newest that counts as verified was taken.',
      seconds(verified?.takenMs),
    ),
    gauge(
      'varve_verify_oldest_time_seconds',
      'Since when everything in the newest snapshot was read again.',
      seconds(newest?.verifiedMs),
    ),
    gauge(
      'varve_verify_last_attempt_time_seconds',
      'When packs were last read again.',
      seconds(reads.lastMs),
    ),
    gauge(
      'varve_verify_last_success_time_seconds',
      'When packs were last read again and nothing was wrong.',
      seconds(reads.cleanMs),
    ),
    gauge('varve_key_slots', 'Keys and passphrases that open the repository.', keySlots),
    gauge(
      'varve_key_problems',
      'Files of keys/ that are missing, damaged or not what they were.',
      keyProblems.length,
    ),
  ];
}

export function newestOf(
  repository: RepositoryFacts | undefined,
): RepositoryFound['snapshots'][number] | undefined {
  return repository?.found?.snapshots.at(-1);
}

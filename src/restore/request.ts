/** What was asked for, as the command line gives it: plain data. The same request is the same restore. */
import { createHash } from 'node:crypto';

export interface RestoreRequest {
  /** Names and globs. */
  readonly topics: readonly string[];
  readonly allTopics: boolean;
  readonly excludeTopics: readonly string[];
  readonly fromMs: bigint | undefined;
  readonly toMs: bigint | undefined;
  readonly partitions: readonly number[];
  readonly toTopic: string | undefined;
  /** Pairs of source and target. */
  readonly map: readonly (readonly [source: string, target: string])[];
  readonly incarnation: string | undefined;
  /** How the snapshot was named; undefined for all sources together. */
  readonly snapshot: string | undefined;
  readonly instance: string | undefined;
  readonly localOnly: boolean;
  readonly mode: 'create' | 'recreate' | 'empty' | 'append';
  readonly groups: readonly string[] | 'all' | 'none' | 'default';
  readonly groupsTo: 'saved' | 'earliest' | 'latest';
  readonly skipActiveGroups: boolean;
  readonly acceptMissing: boolean;
  readonly discardUnsaved: boolean;
  readonly salvage: boolean;
  readonly replicationFactor: number | undefined;
  /** Into so many partitions, or as many as the topic has that is there. */
  readonly repartition: number | 'there' | undefined;
  readonly topicConfigs: readonly (readonly [name: string, value: string])[];
  readonly applyRetention: boolean;
}

/** Leave to go on where something is in the way: who gives it later still asks for the same restore. */
const permissions: ReadonlySet<string> = new Set([
  'salvage',
  'acceptMissing',
  'skipActiveGroups',
  'discardUnsaved',
]);

/** By which a restore is found again: what was asked for, and into which cluster. */
export function requestHash(request: RestoreRequest, cluster: string): string {
  const asked = Object.entries(request).filter(([name]) => !permissions.has(name));
  const text = JSON.stringify({ request: Object.fromEntries(asked), cluster }, (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

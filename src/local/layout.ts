import { join } from 'node:path';
import { monthText, type Month } from '../schedule/schedule.ts';

/**
 * Names below the local folder (a contract, specified in docs/format.md):
 *
 *   varve.json                                    whose folder this is
 *   topics/<topic>/<topicId>/incarnation.json     when this life of the topic was first seen
 *   topics/<topic>/<topicId>/<partition>/journal  what is covered: ranges, gaps, truncations
 *   topics/<topic>/<topicId>/<partition>/<YYYY-MM>/<base, 20 digits>[.e<epoch>].log
 */
export interface PartitionKey {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

export interface SegmentName {
  readonly base: bigint;
  /** The branch: 0 as long as the cluster never rewrote records, else the epoch of the newest truncation. */
  readonly branch: number;
}

export function topicsFolder(localFolder: string): string {
  return join(localFolder, 'topics');
}

export function incarnationFolder(localFolder: string, key: Omit<PartitionKey, 'partition'>): string {
  return join(topicsFolder(localFolder), key.topic, key.topicId);
}

export function partitionFolder(localFolder: string, key: PartitionKey): string {
  return join(incarnationFolder(localFolder, key), String(key.partition));
}

export function monthFolder(partition: string, month: Month): string {
  return join(partition, monthText(month));
}

export function segmentFileName(name: SegmentName): string {
  const branch = name.branch === 0 ? '' : `.e${name.branch}`;
  return `${String(name.base).padStart(20, '0')}${branch}.log`;
}

export function parseSegmentFileName(text: string): SegmentName | undefined {
  const match = /^(\d{20})(?:\.e([1-9]\d{0,9}))?\.log$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  return { base: BigInt(match[1]), branch: Number(match[2] ?? 0) };
}

export function parsePartitionName(text: string): number | undefined {
  return /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : undefined;
}

/** Kafka's own rule for topic names; it also keeps a name from leaving its folder. */
export function isTopicName(text: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(text) && text !== '.' && text !== '..';
}

/** A UUID as Kafka writes it: 22 characters of base64url, possibly with a leading `-`. */
export function isTopicId(text: string): boolean {
  return /^[A-Za-z0-9_-]{22}$/.test(text);
}

export function keyText(key: PartitionKey): string {
  return `${key.topic}/${key.partition}`;
}

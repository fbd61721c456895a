import type { OpenedManifest } from '../repository/repository.ts';
import type { CyclePhase } from './events.ts';
import { sourceFacts, type Ground } from './ground.ts';
import type { CheckedPacks } from './recheck.ts';
import type { CycleReport } from './request.ts';
import type { Expired, RotatePlan } from './rotate.ts';
import { endOf } from './rows.ts';
import type { Staged } from './stage.ts';

export interface Outcome {
  readonly ground: Ground;
  readonly staged: Staged;
  readonly published: OpenedManifest;
  readonly rotation: RotatePlan;
  readonly expired: readonly Expired[];
  readonly freed: { readonly segments: number; readonly bytes: number };
  readonly checked: CheckedPacks;
  readonly phasesMs: Readonly<Partial<Record<CyclePhase, number>>>;
}

export async function reportOf(outcome: Outcome): Promise<CycleReport> {
  const { ground, staged, published, rotation, expired, freed } = outcome;
  const { manifest } = published;
  const { host } = ground.ports;
  const nowMs = host.clock.nowMs();
  const { vanishedTopics } = sourceFacts(ground);
  const { groups, topics } = ground.request;
  const readMs = manifest.groups?.readMs ?? manifest.takenMs;
  const settingsAgeMs = groups === null || topics === null ? nowMs - readMs : null;
  const decided = rotation.snapshots.find(({ id }) => id === manifest.id);
  return {
    id: manifest.id,
    seq: manifest.seq,
    repository: manifest.repository,
    takenMs: manifest.takenMs,
    tookMs: nowMs - ground.beganMs,
    phasesMs: outcome.phasesMs,
    partitions: manifest.incarnations.reduce((sum, { partitions }) => sum + partitions.length, 0),
    segments: staged.fresh.segments.length,
    rawBytes: sumOf(staged.fresh.packs, ({ rawBytes }) => rawBytes),
    newBytes: sumOf(staged.fresh.packs, ({ bytes }) => bytes),
    newPacks: staged.fresh.packs.length,
    linkedBytes: sumOf(staged.links.linked, ({ bytes }) => bytes),
    linkedPacks: staged.links.linked.length,
    copiedBytes: sumOf(staged.links.copied, ({ bytes }) => bytes),
    copiedPacks: staged.links.copied.length,
    expired,
    held: rotation.plan.holds.map(({ kind, text }) => ({ kind, text })),
    vanishedTopics,
    damaged: damageOf(outcome),
    warnings: [...ground.warnings, ...staged.warnings, ...ground.request.unread],
    freedSegments: freed.segments,
    freedBytes: freed.bytes,
    settingsAgeMs,
    verified: decided?.verified ?? false,
    targetFreeBytes: await host.disk.freeBytes(ground.repository.place.folder),
    durable: manifest.incarnations.flatMap(({ topic, topicId, partitions }) =>
      partitions.flatMap(({ partition, coverage }) => {
        const offset = endOf(coverage);
        return offset === undefined ? [] : { topic, topicId, partition, offset: String(offset) };
      }),
    ),
    finding: findingOf(outcome, { settingsAgeMs, vanishedTopics }),
  };
}

function damageOf({ ground, staged, checked }: Outcome): CycleReport['damaged'] {
  return [
    ...ground.keyProblems.map(({ file, problem }) => ({ what: `keys/${file}`, problem })),
    ...ground.catalog.problems.map(({ id, error }) => ({ what: `snapshot ${id}`, problem: error.message })),
    ...staged.links.missing.map(({ pack, problem }) => ({ what: `pack ${pack.path}`, problem })),
    ...checked.damaged.map(({ pack, problem }) => ({ what: `pack ${pack.path}`, problem })),
    ...staged.fresh.damaged.map(({ segment, problem }) => ({ what: segment.path, problem })),
  ];
}

function findingOf(
  outcome: Outcome,
  o: { settingsAgeMs: number | null; vanishedTopics: readonly string[] },
): CycleReport['finding'] {
  if (damageOf(outcome).length > 0) return 'damage';
  const { holds } = outcome.rotation.plan;
  if (holds.some(({ kind }) => kind === 'damage')) return 'damage';
  if (holds.some(({ finding }) => finding === 'clock-back')) return 'clock-back';
  const isShrunk = holds.some(({ kind }) => kind === 'shrunk');
  const isUnread = outcome.ground.request.unread.length > 0;
  return isUnread || o.settingsAgeMs !== null || o.vanishedTopics.length > 0 || isShrunk
    ? 'incomplete'
    : null;
}

function sumOf<Item>(items: readonly Item[], valueOf: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + valueOf(item), 0);
}

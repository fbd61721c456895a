/** What a cycle stands on: the open repository, its lock, what is in it, and what this installation remembers of it. */
import type { BlockPool, Stretch } from '../crypto/crypto.ts';
import { matchesTopic } from '../config/config.ts';
import { messageOf, VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import {
  acquireLock,
  assertOwned,
  copyKeys,
  ensureInstance,
  lookAtKeys,
  purgeTrash,
  readMarks,
  readMemory,
  Repository,
  secretOf,
  sweepMarks,
  sweepStaging,
  targetNowMs,
  type KeyProblem,
  type MarkFile,
  type Marks,
  type Memory,
  openBase,
  type OpenedManifest,
  type RepositoryLock,
  writeMark,
} from '../repository/repository.ts';
import { clockLeap, isAhead, isFuture, type Hold } from '../schedule/schedule.ts';
import { chooseBase, openCatalog, type Catalog } from './base.ts';
import { keepsForever } from './carry.ts';
import type { CyclePhase, EmitCycle } from './events.ts';
import { isShrunk, vanishedTopics } from './incarnations.ts';
import type { PublishStep } from './publish.ts';
import type { CycleRequest, SnapshotSettings } from './request.ts';
import { Checks, planRotation, type RotatePlan } from './rotate.ts';

export interface CyclePorts {
  readonly host: Host;
  readonly emit: EmitCycle;
  readonly signal: AbortSignal;
  readonly stretch: Stretch;
  /** Threads that outlive the cycle, where there are any; else it starts its own when it has something to seal. */
  readonly pool?: BlockPool;
  /** Called before each named step; a test stops the process there. */
  readonly onStep?: (step: PublishStep | CyclePhase) => void;
}

export interface Ground {
  readonly settings: SnapshotSettings;
  readonly request: CycleRequest;
  readonly ports: CyclePorts;
  readonly beganMs: number;
  readonly repository: Repository;
  readonly lock: RepositoryLock;
  readonly memory: Memory | undefined;
  /** Why no data goes by its age. */
  readonly leap: Hold | undefined;
  readonly catalog: Catalog;
  /** The newest snapshot, on which the next one builds. */
  readonly base: OpenedManifest | undefined;
  readonly marks: Marks;
  readonly checks: Checks;
  /** The target's clock at the beginning. */
  readonly targetNowMs: number;
  /** What is wrong with `keys/`, though it opened. */
  readonly keyProblems: readonly KeyProblem[];
  readonly warnings: readonly string[];
}

export async function openGround(
  o: { settings: SnapshotSettings; request: CycleRequest; ports: CyclePorts; beganMs: number },
  opened: AsyncDisposableStack,
): Promise<Ground> {
  const { settings, request, ports } = o;
  const { host, stretch } = ports;
  const place = { folder: settings.repository.dir ?? '', instance: settings.instance };
  const warnings: string[] = [];
  const warn = (message: string): void => {
    warnings.push(message);
    ports.emit({ type: 'cycle-warned', message });
  };
  const repository = await Repository.open(host, place, secretOf(settings.repository), { stretch });
  const keyProblems = await soundKeys(host, repository, request.localFolder);
  for (const { file, problem, hint } of keyProblems) warn(`keys/${file}: ${problem} (${hint})`);
  await bindCluster(host, repository, request);
  await ensureInstance(host, place);
  const lock = opened.use(await acquireLock(host, place, { installation: request.installation }));
  await assertOwned(host, place);
  await sweepStaging(host, place);
  const nowMs = await targetNowMs(host, place);
  await purgeTrash(host, place, { nowMs });
  const catalog = await openCatalog(host.disk, repository);
  for (const { error } of catalog.problems) warn(error.message);
  const memory = await readMemory(host, request.localFolder);
  const head = chooseBase(catalog, memory, {
    repository: repository.identity.repository,
    instance: settings.instance,
    acceptRollback: request.accept.rollback,
    warn,
  });
  const base = await openBase(host.disk, repository, head);
  const clocks = { nowMs: host.clock.nowMs(), targetNowMs: nowMs };
  if (request.accept.clock) await redate(catalog, { ...clocks, host, repository, warn });
  const marks = await readMarks(host, repository);
  for (const problem of marks.problems) warn(problem);
  // A local disk that is full must not keep anything from being published.
  const { localFolder } = request;
  await copyKeys(host, repository, { localFolder, problems: keyProblems }).catch((error: unknown) =>
    warn(`keys/ could not be copied beside the local files: ${messageOf(error)}`),
  );
  const checks = new Checks(catalog.opened, marks);
  const leap = request.accept.clock ? undefined : clockLeap(o.beganMs, memory?.latestNowMs);
  if (leap !== undefined && !keepsForever(settings.archive))
    warn(`${leap.text}: archive.keep lets go of nothing until --accept-clock says that it is right`);
  return {
    ...o,
    repository,
    lock,
    memory,
    leap,
    catalog,
    base,
    marks,
    checks,
    targetNowMs: nowMs,
    keyProblems,
    warnings,
  };
}

/** A slot more or less does not keep anything from being published; without a keyring that was there, nothing is sealed. */
async function soundKeys(host: Host, repository: Repository, localFolder: string): Promise<KeyProblem[]> {
  const { folder } = repository.place;
  const uuid = repository.identity.repository;
  const problems = await lookAtKeys(host.disk, { folder, repository: uuid, opened: repository, localFolder });
  const fatal = problems.find(({ isKeyring }) => isKeyring);
  if (fatal === undefined) return problems;
  throw new VarveError('damage', `${folder}/keys/${fatal.file}: ${fatal.problem}`, { hint: fatal.hint });
}

/**
 * What is dated in the future by clocks that are right now was dated by one that was ahead: snapshots are marked, damage
 * counts from now on, and what was read counts as unread. The first word on damage stays: where this is said wrongly, by
 * a clock that is behind, only that is later than what was read before.
 */
async function redate(
  { opened }: Catalog,
  o: { nowMs: number; targetNowMs: number; host: Host; repository: Repository; warn: (text: string) => void },
): Promise<void> {
  const { host, repository, nowMs: atMs } = o;
  for (const { manifest, publishedMs } of opened) {
    const { id: snapshot, takenMs } = manifest;
    if (!isAhead({ takenMs, publishedMs }, o)) continue;
    await writeMark(host, repository, { snapshot, type: 'misdated', atMs });
    o.warn(`snapshot ${snapshot} is dated in the future: kept until then, and it holds up nothing any more`);
  }
  const { files, damaged } = await readMarks(host, repository);
  const isDatedAhead = (file: MarkFile): boolean => isFuture(file.atMs, atMs);
  for (const { snapshot, packs } of damaged.filter(isDatedAhead))
    await writeMark(host, repository, { snapshot, type: 'damaged', atMs, packs });
  const checked = files.filter(({ type }) => type === 'checked');
  await sweepMarks(host, repository, checked.filter(isDatedAhead));
}

async function bindCluster(host: Host, repository: Repository, request: CycleRequest): Promise<void> {
  const { clusters } = repository.identity;
  const { cluster, accept } = request;
  if (clusters.includes(cluster)) return;
  if (clusters.length > 0 && !accept.cluster) {
    throw new VarveError(
      'wrong-cluster',
      `the repository holds another Kafka cluster: expected ${clusters.join(' or ')}, got ${cluster}`,
      {
        hint: 'give this cluster a repository of its own; or, if it takes the place of the other, run the cycle once with --accept-cluster',
      },
    );
  }
  await repository.addCluster(host, cluster);
}

/** The plan for the snapshots in a catalog, and whatever holds it. */
export function rotationOf(ground: Ground, catalog: Catalog): RotatePlan {
  const { settings, request, marks, checks, memory, ports, beganMs } = ground;
  const nowMs = ports.host.clock.nowMs();
  return planRotation(catalog, {
    settings,
    marks,
    checks,
    isDamaged: ground.keyProblems.length > 0,
    facts: {
      published: true,
      nowMs,
      targetNowMs: ground.targetNowMs + (nowMs - beganMs),
      ...(memory === undefined || request.accept.clock ? {} : { latestNowMs: memory.latestNowMs }),
      ...sourceFacts(ground),
    },
  });
}

export function sourceFacts({ settings, request, base }: Ground): {
  vanishedTopics: string[];
  shrunk: boolean;
} {
  if (request.accept.shrink) return { vanishedTopics: [], shrunk: false };
  const isIncluded = (topic: string): boolean => matchesTopic(settings, topic);
  return {
    vanishedTopics: vanishedTopics(base?.manifest, request.topics, isIncluded),
    shrunk: isShrunk(base?.manifest, request.topics, isIncluded),
  };
}

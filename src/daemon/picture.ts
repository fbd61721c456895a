import manifest from '../../package.json' with { type: 'json' };
import { messageOf } from '../errors.ts';
import { localFolderOf, type Config } from '../config/config.ts';
import { pause, type Host } from '../host/host.ts';
import { readAccepted, type LocalFolder } from '../local/local.ts';
import type { DaemonFacts } from '../observe/observe.ts';
import type { PageFacts, RepositoryFacts } from '../page/page.ts';
import { readMemory, sharingText } from '../repository/repository.ts';
import type { Sink } from '../sink/sink.ts';
import type { CycleNotes } from './cycle-notes.ts';
import type { TargetGate } from './gate.ts';
import { snapshotSettings } from './snapshots.ts';
import { UnsavedScan } from './unsaved.ts';

export interface PictureOptions {
  readonly config: Config;
  readonly host: Host;
  readonly gate: TargetGate;
  readonly local: LocalFolder;
  readonly sink: Sink;
  readonly facts: () => Promise<DaemonFacts>;
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
}

/** A disk that does not answer holds up no look at the page for longer. */
const patienceMs = 100;
const freshMs = 1000;
const scanEveryMs = 60_000;
/** Of the time, looking at the local disk takes at most this part. */
const scanShare = 20;

/**
 * What the page shows, and the metrics of the repository, gathered beforehand: the repository is looked at when the daemon starts and after each cycle,
 * the local disk from time to time, one call after the other; a request finds what was found last.
 */
export class Picture {
  readonly #o: PictureOptions;
  readonly #notes: CycleNotes;
  readonly #unsaved: UnsavedScan;
  #repository: RepositoryFacts | undefined;
  #looked: DaemonFacts['repository'];
  /** Said once, when the daemon starts. */
  #isSharingSaid = false;
  #acceptedGaps: ReadonlySet<string> = new Set();
  #facts: PageFacts | undefined;
  #gathering: Promise<PageFacts> | undefined;

  constructor(options: PictureOptions, notes: CycleNotes) {
    this.#o = options;
    this.#notes = notes;
    this.#unsaved = new UnsavedScan(options.host.disk, options.local.path);
    if (options.config.repository.dir !== undefined)
      this.#repository = { strata: undefined, lookedMs: undefined, problem: undefined };
  }

  /** Looks at the local disk again and again, until the signal is aborted. */
  async follow(): Promise<void> {
    const { host, signal } = this.#o;
    while (!signal.aborted) {
      const beganMs = host.clock.nowMs();
      await this.#scan();
      const tookMs = Math.max(0, host.clock.nowMs() - beganMs);
      await pause(host.clock, Math.max(scanEveryMs, tookMs * scanShare), signal);
    }
  }

  /** The repository as the last look found it; undefined before the first. */
  get looked(): DaemonFacts['repository'] {
    return this.#looked;
  }

  /** What the repository holds now. Whatever stands against it is shown, and is nobody's failure. */
  async look(): Promise<void> {
    const { config, host, gate, signal } = this.#o;
    if (this.#repository === undefined || signal.aborted) return;
    const { instance } = config;
    const settings = snapshotSettings(config);
    const isShown = config.observe.page;
    try {
      const localFolder = localFolderOf(config);
      const memory = await readMemory(host, localFolder);
      const known = this.#repository.strata?.layers;
      const strata = isShown
        ? await gate.run({ order: 'strata', settings, params: { memory, localFolder, known }, signal })
        : undefined;
      const found =
        strata ??
        (await gate.run({ order: 'list', settings, params: { instance, memory, localFolder }, signal }));
      const lookedMs = host.clock.nowMs();
      this.#repository = { strata, lookedMs, problem: undefined };
      this.#looked = { isReached: true, found: { ...found, lookedMs } };
      if (!this.#isSharingSaid && found.sharing.includes(instance)) this.#o.warn(sharingText(instance));
      this.#isSharingSaid = true;
      if (strata !== undefined) this.#unsaved.noteSaved(strata.topics);
    } catch (error) {
      this.#repository = { ...this.#repository, problem: messageOf(error) };
      this.#looked = { isReached: false, found: this.#looked?.found };
    }
    if (isShown) await this.#scan();
  }

  /** As of now, or of a second ago; where the disk does not answer, as of the last time it did. */
  async facts(): Promise<PageFacts> {
    const { clock } = this.#o.host;
    const known = this.#facts;
    if (known !== undefined && Math.abs(clock.nowMs() - known.nowMs) < freshMs) return known;
    this.#gathering ??= this.#gather().finally(() => {
      this.#gathering = undefined;
    });
    if (known === undefined) return await this.#gathering;
    const waited = new AbortController();
    const late = pause(clock, patienceMs, waited.signal).then(() => known);
    try {
      return await Promise.race([this.#gathering, late]);
    } finally {
      waited.abort();
    }
  }

  async #gather(): Promise<PageFacts> {
    const { config, host, local, sink } = this.#o;
    this.#facts = {
      ...identityOf(config),
      daemon: await this.#o.facts(),
      nowMs: host.clock.nowMs(),
      cluster: local.identity.cluster,
      followed: sink.followed(),
      missing: sink.missing,
      cycles: this.#notes.newestFirst,
      repository: this.#repository,
      unsaved: this.#unsaved.found,
      acceptedGaps: this.#acceptedGaps,
    };
    return this.#facts;
  }

  async #scan(): Promise<void> {
    const { host, local, signal } = this.#o;
    try {
      await this.#unsaved.look(signal);
      this.#acceptedGaps = await readAccepted(host.disk, local.path);
    } catch {
      // A disk that is gone is told by what refuses it; what was found before is shown until it is back.
    }
  }
}

/** As long as nothing is followed yet. */
export function startingPage(config: Config, o: { daemon: DaemonFacts; nowMs: number }): PageFacts {
  const repository = config.repository.dir === undefined ? undefined : notLooked;
  return {
    ...identityOf(config),
    ...o,
    cluster: null,
    followed: [],
    missing: [],
    cycles: [],
    repository,
    unsaved: undefined,
    acceptedGaps: new Set(),
  };
}

const notLooked: RepositoryFacts = { strata: undefined, lookedMs: undefined, problem: undefined };

function identityOf({ name, instance }: Config): Pick<PageFacts, 'version' | 'name' | 'instance'> {
  return { version: manifest.version, name, instance };
}

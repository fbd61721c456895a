import type { Clock } from '../host/host.ts';
import type { DaemonEvent } from '../observe/observe.ts';
import type { CycleNote } from '../page/page.ts';

const notesMax = 30;

/** What was told of the cycles of this daemon, as the page shows it. */
export class CycleNotes {
  readonly #clock: Clock;
  #notes: readonly CycleNote[] = [];
  #phaseSinceMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get newestFirst(): readonly CycleNote[] {
    return this.#notes;
  }

  hear(event: DaemonEvent): void {
    const nowMs = this.#clock.nowMs();
    switch (event.type) {
      case 'cycle-began':
        this.#phaseSinceMs = nowMs;
        this.#notes = [begun(event.trigger, nowMs), ...this.#notes].slice(0, notesMax);
        break;
      case 'cycle-phase':
        this.#change((note) => ({ phase: event.phase, phasesMs: this.#phases(note, nowMs) }));
        this.#phaseSinceMs = nowMs;
        break;
      case 'cycle-ended': {
        const { report } = event;
        this.#change(() => ({
          outcome: 'published',
          endedMs: nowMs,
          phase: undefined,
          phasesMs: report.phasesMs,
          snapshot: report.id,
          newBytes: report.newBytes,
          linkedBytes: report.linkedBytes,
          verified: report.verified,
          expired: report.expired.length,
          problem: findingText(report),
        }));
        break;
      }
      case 'cycle-failed':
        this.#change((note) => ({
          outcome: 'failed',
          endedMs: nowMs,
          phase: undefined,
          phasesMs: this.#phases(note, nowMs),
          problem: event.message,
          hint: event.hint,
        }));
        break;
      default:
    }
  }

  #phases({ phase, phasesMs }: CycleNote, nowMs: number): CycleNote['phasesMs'] {
    return phase === undefined ? phasesMs : { ...phasesMs, [phase]: Math.max(0, nowMs - this.#phaseSinceMs) };
  }

  /** Of the one that runs; of none, where one was begun before anybody listened. */
  #change(changed: (note: CycleNote) => Partial<CycleNote>): void {
    const [newest, ...others] = this.#notes;
    if (newest?.outcome === 'running') this.#notes = [{ ...newest, ...changed(newest) }, ...others];
  }
}

function begun(trigger: CycleNote['trigger'], beganMs: number): CycleNote {
  return {
    trigger,
    beganMs,
    endedMs: undefined,
    outcome: 'running',
    phase: undefined,
    phasesMs: {},
    snapshot: undefined,
    newBytes: undefined,
    linkedBytes: undefined,
    verified: undefined,
    expired: 0,
    problem: undefined,
    hint: undefined,
  };
}

type Report = Extract<DaemonEvent, { type: 'cycle-ended' }>['report'];

function findingText({ finding, damaged, vanishedTopics, warnings, held }: Report): string | undefined {
  if (finding === null) return undefined;
  const said = [
    ...damaged.map(({ what, problem }) => `${what}: ${problem}`),
    ...(vanishedTopics.length === 0 ? [] : [`topics vanished: ${vanishedTopics.slice(0, 5).join(', ')}`]),
    ...held.map(({ text }) => text),
    ...warnings,
  ];
  return said.slice(0, 3).join('; ') || finding;
}

import type { Memory } from '../repository/repository.ts';
import type { HoldKind } from '../schedule/schedule.ts';
import { warn, type Finding } from './findings.ts';
import { agoText } from './times.ts';

const clockHint = 'set the clock right; where it is right now: varve snapshot --accept-clock';
const shrinkHint = 'where that is as it should be: varve snapshot --accept-shrink';
const damageHint = 'mend what is damaged, then run varve verify: it lifts the mark';

const hints: Readonly<Partial<Record<HoldKind, string>>> = {
  'clock-back': clockHint,
  'clock-ahead': clockHint,
  'clocks-disagree': 'set the clock of this machine, or of the target, right',
  'vanished-topic': shrinkHint,
  shrunk: shrinkHint,
  damage: damageHint,
  'no-good-snapshot': damageHint,
};

/** What keeps snapshots, or data, past their time: the target fills up without a word otherwise. */
export function holdFindings(memory: Memory | undefined, nowMs: number): Finding[] {
  const { atMs, held = [] } = memory?.lastSuccess ?? { atMs: nowMs };
  return held.map(({ kind, text }) => {
    const what = kind === 'clock-ahead' ? 'archive.keep let go of nothing' : 'nothing expired';
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one that is not known has no entry
    const hint = hints[kind as HoldKind] ?? 'varve expire --dry-run shows the plan';
    return warn('expiry', `${what} in the last cycle, ${agoText(atMs, nowMs)}: ${text}`, hint);
  });
}

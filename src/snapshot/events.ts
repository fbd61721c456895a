import type { RepackReport } from './repack.ts';
import type { CycleReport } from './request.ts';

/** What a cycle tells while it works. It logs nothing itself. */
export type CycleEvent =
  | { readonly type: 'cycle-phase'; readonly phase: CyclePhase }
  | { readonly type: 'cycle-progress'; readonly doneBytes: number; readonly totalBytes: number }
  | {
      readonly type: 'segment-damaged';
      readonly topic: string;
      readonly partition: number;
      readonly path: string;
      readonly problem: string;
    }
  | { readonly type: 'pack-damaged'; readonly pack: string; readonly problem: string }
  | { readonly type: 'cycle-warned'; readonly message: string };

export type CyclePhase = 'open' | 'plan' | 'seal' | 'check' | 'publish' | 'rotate' | 'free';

/** What set a cycle off. */
export type Trigger = 'schedule' | 'start' | 'order';

/** Of a cycle as a whole, told by whoever runs cycles. */
export type CyclesEvent =
  | { readonly type: 'cycle-began'; readonly trigger: Trigger; readonly missedMs?: number }
  | { readonly type: 'cycle-ended'; readonly report: Omit<CycleReport, 'durable'> }
  | {
      readonly type: 'cycle-failed';
      readonly code: string;
      readonly message: string;
      readonly hint: string | undefined;
    }
  | { readonly type: 'repacked'; readonly report: RepackReport };

export type EmitCycle = (event: CycleEvent) => void;

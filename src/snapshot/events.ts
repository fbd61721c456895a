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

export type EmitCycle = (event: CycleEvent) => void;

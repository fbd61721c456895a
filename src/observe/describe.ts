import type { SinkEvent } from '../sink/sink.ts';
import { describeCycle, isOfCycle, type OfCycle } from './describe-cycle.ts';
import { describeDrill, isOfDrill, type DrillEvent } from './describe-drill.ts';
import { bytesText, countText, plural } from './text.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** One event in words and as fields; the name of an event is stable, its words are not. */
export interface Described {
  readonly level: Level;
  readonly message: string;
}

export type DaemonEvent = SinkEvent | OfCycle | DrillEvent;

export function describeEvent(event: DaemonEvent): Described {
  if (isOfDrill(event)) return describeDrill(event);
  return isOfCycle(event) ? describeCycle(event) : describeSink(event);
}

function describeSink(event: SinkEvent): Described {
  switch (event.type) {
    case 'started':
      return { level: 'debug', message: `${where(event)}: from offset ${event.offset} (${event.from})` };
    case 'repaired':
      return { level: 'warn', message: `${where(event)}: ${repairText(event.repair)}` };
    case 'gap': {
      const count = countText(event.to - event.from);
      const range = `offsets ${event.from} to ${event.to - 1n}`;
      return {
        level: 'error',
        message: `${where(event)}: a gap: ${range} (${count}) were deleted in the cluster before they could be saved`,
      };
    }
    case 'truncated':
      return {
        level: 'error',
        message: `${where(event)}: the cluster lost or rewrote its records from offset ${event.offset} on; what was saved of them stays, the new ones are kept as branch ${event.epoch}`,
      };
    case 'partition-stopped':
      return { level: 'error', message: `${where(event)}: stopped (${event.reason}): ${event.message}` };
    case 'partition-retried':
      return { level: 'debug', message: `${where(event)}: trying again: ${event.message}` };
    case 'topic-gone':
      return { level: 'warn', message: `${where(event)}: the topic was deleted; what was saved stays` };
    case 'open-transaction': {
      const range = `from offset ${event.from} to ${event.to - 1n}`;
      return {
        level: 'warn',
        message: `${where(event)}: a transaction is open ${range}; it is saved once it ends`,
      };
    }
    case 'cut-missed': {
      const why = 'its files are being opened anew';
      return { level: 'warn', message: `${where(event)}: left for the next cycle: ${why}` };
    }
    default:
      return describeWhole(event);
  }
}

type OfPartition = Extract<SinkEvent, { topicId: string }>;

function describeWhole(event: Exclude<SinkEvent, OfPartition>): Described {
  switch (event.type) {
    case 'topic-refused':
      return { level: 'error', message: `${event.topic}: not backed up: ${event.message}` };
    case 'cut':
      return {
        level: 'info',
        message: `cut ${plural(event.partitions, 'partition')} in ${event.pauseMs} ms`,
      };
    case 'committed':
      return { level: 'debug', message: `committed ${plural(event.partitions, 'position')}` };
    case 'commit-failed':
      return {
        level: 'warn',
        message: `positions could not be committed (the files are safe): ${event.message}`,
      };
    case 'disk-refused': {
      const what = event.isFull ? 'the disk is full' : 'the disk refused';
      return { level: 'error', message: `${what}: ${event.message}; paused, tried again every second` };
    }
    case 'space-low': {
      const free = `${bytesText(event.freeBytes)} free, local.minFree is ${bytesText(event.minFreeBytes)}`;
      return { level: 'error', message: `too little room on the disk: ${free}; fetching is paused` };
    }
    case 'space-back':
      return {
        level: 'info',
        message: `room on the disk again: ${bytesText(event.freeBytes)} free; fetching goes on`,
      };
    case 'broker-lost':
      return { level: 'warn', message: `broker ${event.brokerId} is lost: ${event.message}` };
    case 'broker-back':
      return { level: 'info', message: `broker ${event.brokerId} is back` };
    case 'metadata-failed':
      return { level: 'warn', message: `the cluster could not be asked: ${event.message}` };
  }
}

function where(event: OfPartition): string {
  return `${event.topic}/${event.partition}`;
}

function repairText(repair: Extract<SinkEvent, { type: 'repaired' }>['repair']): string {
  switch (repair.kind) {
    case 'torn-tail':
      return `cut ${repair.cutBytes} torn bytes off ${repair.path} (${repair.problem})`;
    case 'damaged-file':
      return `damaged, and left as it is: ${repair.path}: ${repair.problem}`;
    case 'empty-file':
      return `removed ${repair.path}, which held no whole batch`;
    case 'unconnected-file':
      return `removed ${repair.path}, which was never acknowledged; it is fetched again`;
  }
}

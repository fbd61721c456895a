/**
 * Everything that is not deterministic, behind small ports: the clock, the disk, randomness, sockets in a folder.
 *
 * It promises: no call retries, none hides an error, and nothing outside this room reaches for the operating system.
 * It never knows what the bytes mean.
 */
import { systemClock, type Clock } from './clock.ts';
import { systemDisk, type Disk } from './disk.ts';
import { systemRandom, type Random } from './random.ts';
import { openSocketFolder, type SocketFolder } from './socket.ts';

export { pause, steadyMs, type Clock, type Timer } from './clock.ts';
export {
  codeOf,
  isDiskFull,
  type Disk,
  type DiskEntry,
  type DiskFile,
  type DiskStat,
  type OpenMode,
} from './disk.ts';
export { ensureFolder, replaceFile } from './durable.ts';
export { killGroup, killThisProcess, processOwner } from './process.ts';
export { boundYoungGeneration } from './young-generation.ts';
export type { Random } from './random.ts';
export type { SocketFolder } from './socket.ts';

export interface Host {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly random: Random;
  openSocketFolder(folder: string): Promise<SocketFolder>;
}

export const systemHost: Host = {
  clock: systemClock,
  disk: systemDisk,
  random: systemRandom,
  openSocketFolder,
};

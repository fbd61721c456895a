import type { DiskRoom } from './room.ts';
import type { PartitionStream } from './stream.ts';

/** Enough to let the disk group its work, few enough to leave threads for writing. */
const syncsAtOnceMax = 8;

/** Makes durable what every partition has written. A partition whose sync fails begins again from what is durable. */
export async function syncAll(streams: Iterable<PartitionStream>, room: DiskRoom): Promise<void> {
  const dirty = [...streams].filter((stream) => stream.log.isDirty && !stream.isReopening);
  const work = async (): Promise<void> => {
    for (let stream = dirty.shift(); stream !== undefined; stream = dirty.shift())
      await syncOne(stream, room);
  };
  await Promise.all(Array.from({ length: syncsAtOnceMax }, work));
}

async function syncOne(stream: PartitionStream, room: DiskRoom): Promise<void> {
  const { log } = stream;
  try {
    await log.sync();
    room.worked();
  } catch (error) {
    if (log === stream.log) stream.reopen(error);
  }
}

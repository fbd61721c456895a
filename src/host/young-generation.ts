import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Both halves. V8 doubles it, up to 128 MiB, whenever as much as it holds has survived, which in time it always has. */
const bytesWanted = 32 * 1024 * 1024;
const lookEveryMs = 250;

/** Keeps the part of the heap where objects begin from growing for ever: it is memory that a long run fills with rubbish. */
export function boundYoungGeneration(): void {
  const looking = setInterval(() => {
    const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
    if (space !== undefined && space.space_size < bytesWanted) return;
    setFlagsFromString('--semi-space-growth-factor=1'); // read at each doubling
    clearInterval(looking);
  }, lookEveryMs);
  looking.unref();
}

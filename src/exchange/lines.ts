import { VarveError } from '../errors.ts';

/** No value that Kafka takes by default comes near; a file without line ends is none of these. */
const lineBytesMax = 64 * 1024 * 1024;
const newline = 0x0a;

export interface Lines {
  /** Without their ends. Views of memory that is not written again. */
  readonly lines: readonly Buffer[];
  /** Whether what comes last had no end: the file stops inside of it, or was never finished. */
  readonly isUnfinished: boolean;
}

/** The lines of a file, many at a time. `path` is for messages. */
export async function* linesOf(
  chunks: AsyncIterable<Buffer>,
  path: string,
): AsyncGenerator<Lines, void, undefined> {
  let begun: Buffer[] = [];
  let begunBytes = 0;
  let count = 0;
  for await (const chunk of chunks) {
    const lines: Buffer[] = [];
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      const last = chunk.subarray(from, at);
      lines.push(begunBytes === 0 ? last : Buffer.concat([...begun, last]));
      begun = [];
      begunBytes = 0;
      from = at + 1;
    }
    if (from < chunk.length) {
      begun.push(chunk.subarray(from));
      begunBytes += chunk.length - from;
    }
    count += lines.length;
    if (begunBytes > lineBytesMax) {
      throw new VarveError(
        'damage',
        `${path}: line ${count + 1}: expected at most ${lineBytesMax} bytes, got more without an end`,
        { hint: 'a file of a FileStreamSink has one value on each line: name such files alone' },
      );
    }
    if (lines.length > 0) yield { lines, isUnfinished: false };
  }
  if (begunBytes > 0) yield { lines: [Buffer.concat(begun)], isUnfinished: true };
}

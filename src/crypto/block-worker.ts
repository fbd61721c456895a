/** The thread behind `BlockPool`: seals and opens single blocks. It is given object keys, never the keys above them. */
import { parentPort, workerData } from 'node:worker_threads';
import { sealBlock, unsealBlock } from './block.ts';
import { FrameCodec } from './frame.ts';
import type { BlockAnswer, BlockTask } from './pool.ts';

const level: unknown = workerData;
if (typeof level !== 'number') throw new Error('a sealing thread was given no level');
const codec = new FrameCodec({ level });

parentPort?.on('message', (task: BlockTask) => {
  const answer = work(task);
  const transfer = [answer.bytes?.buffer, answer.spare].filter((memory) => memory !== undefined);
  parentPort?.postMessage(answer, transfer);
});

function work(task: BlockTask): BlockAnswer {
  const { id, kind, bytes, position } = task;
  const objectKey = Buffer.from(task.objectKey);
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (kind === 'seal') {
      const [sealed, tag] = sealBlock(objectKey, position, codec.compress(input));
      const block = Buffer.allocUnsafeSlow(4 + sealed.length + tag.length);
      block.writeUInt32BE(sealed.length + tag.length);
      sealed.copy(block, 4);
      tag.copy(block, 4 + sealed.length);
      return { id, bytes: block, spare: bytes.buffer };
    }
    const frame = unsealBlock(objectKey, position, input);
    if (frame === undefined) return { id, refused: 'sealed' };
    const raw = codec.decompress(frame, task.rawBytesMin);
    if (raw === undefined) return { id, refused: 'frame' };
    const own = Buffer.allocUnsafeSlow(raw.length);
    raw.copy(own);
    return { id, bytes: own };
  } catch (error) {
    return { id, failure: String(error) };
  }
}

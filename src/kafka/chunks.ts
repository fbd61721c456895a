/** The same elements in the same order, at most `sizeMax` together. */
export function inChunks<T>(elements: readonly T[], sizeMax: number): T[][] {
  const chunks: T[][] = [];
  for (let at = 0; at < elements.length; at += sizeMax) chunks.push(elements.slice(at, at + sizeMax));
  return chunks;
}

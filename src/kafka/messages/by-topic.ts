/** Kafka wants the partitions of one topic under one entry. */
export function byTopic<T extends { readonly topic: string }>(
  rows: readonly T[],
): { topic: string; rows: T[] }[] {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.topic);
    if (group === undefined) groups.set(row.topic, [row]);
    else group.push(row);
  }
  return [...groups].map(([topic, group]) => ({ topic, rows: group }));
}

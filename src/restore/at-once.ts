/** At most so many at once, in order; the first failure ends it once those that run have ended. */
export async function mapAtOnce<T, R>(
  items: readonly T[],
  atOnce: number,
  run: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let at = 0;
  let failure: { error: unknown } | undefined;
  const work = async (): Promise<void> => {
    for (let index = at; index < items.length && failure === undefined; index = at) {
      at += 1;
      const item = items[index];
      if (item === undefined) continue;
      try {
        results[index] = await run(item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  if (failure !== undefined) throw failure.error;
  return results;
}

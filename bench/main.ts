/**
 * Measures what the project promises, each figure against a peer in the same run: `npm run bench` for all, or by name:
 * `npm run bench -- sink 5` (five pairs), `npm run bench -- startup`.
 */
const benches: Readonly<Record<string, () => Promise<{ bench(words: readonly string[]): Promise<void> }>>> = {
  cycle: async () => import('./cycle.ts'),
  list: async () => import('./list.ts'),
  many: async () => import('./many.ts'),
  restore: async () => import('./restore.ts'),
  sink: async () => import('./sink.ts'),
  startup: async () => import('./startup.ts'),
};

const [name, ...words] = process.argv.slice(2);
const chosen = name === undefined ? Object.keys(benches) : [name];
for (const each of chosen) {
  const load = benches[each];
  if (load === undefined)
    throw new Error(`no bench ${each}: expected one of ${Object.keys(benches).join(', ')}`);
  console.log(`# ${each}`);
  await (await load()).bench(words);
}

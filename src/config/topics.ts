import type { TopicsConfig } from './types.ts';

const neverNames: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__cluster_metadata',
  '__share_group_state',
]);

/** Topics that hold a cluster's own state, and this program's: never backed up, however they are asked for. */
export function isNeverTopic(name: string): boolean {
  return neverNames.has(name) || name.startsWith('__varve-');
}

/** Whether a topic is to be backed up. Other `__` topics only when `include` names them exactly; `exclude` wins. */
export function matchesTopic(config: { readonly topics: TopicsConfig }, name: string): boolean {
  const { include, exclude } = config.topics;
  if (isNeverTopic(name)) return false;
  if (exclude.some((glob) => matchesGlob(glob, name))) return false;
  if (name.startsWith('__')) return include.includes(name);
  return include.some((glob) => matchesGlob(glob, name));
}

/** `*` is any run of characters, `?` is one. In time that grows with the lengths only, whatever the glob. */
export function matchesGlob(glob: string, name: string): boolean {
  let globAt = 0;
  let nameAt = 0;
  let starAt = -1;
  let starNameAt = 0;
  while (nameAt < name.length) {
    const wanted = glob[globAt];
    if (wanted === '*') {
      starAt = globAt++;
      starNameAt = nameAt;
    } else if (wanted === '?' || (wanted !== undefined && wanted === name[nameAt])) {
      globAt++;
      nameAt++;
    } else if (starAt >= 0) {
      globAt = starAt + 1;
      nameAt = ++starNameAt;
    } else {
      return false;
    }
  }
  while (glob[globAt] === '*') globAt++;
  return globAt === glob.length;
}

/** Enough to find a name in, few enough to read. */
const namesShownMax = 20;

export function listed(names: readonly string[]): string {
  const more = names.length - namesShownMax;
  return names.slice(0, namesShownMax).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

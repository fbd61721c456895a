import type { Origin } from './types.ts';

/** A section as it was given: nothing parsed yet. */
export type Section = { [name: string]: unknown };

/** What the sources gave so far, laid over each other, with the origin of every key and section. */
export class Tree {
  readonly root: Section = {};
  readonly #origins = new Map<string, Origin>();
  readonly #set = new Set<string>();

  /** Later calls win. A section that is not one is left for the schema to refuse. */
  set(path: readonly string[], value: unknown, origin: Origin): void {
    let section = this.root;
    for (const name of path.slice(0, -1)) {
      if (!Object.hasOwn(section, name)) define(section, name, {});
      const next = section[name];
      if (!isSection(next)) return;
      section = next;
    }
    define(section, path.at(-1) ?? '', value);
    const key = path.join('.');
    for (const known of this.#origins.keys()) {
      if (known.startsWith(`${key}.`)) this.#origins.delete(known);
    }
    this.#origins.set(key, origin);
    this.#set.add(key);
  }

  /** For a section, whose keys are set one by one, and for the items of a list. */
  note(path: readonly string[], origin: Origin): void {
    this.#origins.set(path.join('.'), origin);
  }

  get(path: readonly string[]): unknown {
    let value: unknown = this.root;
    for (const name of path) {
      if (Array.isArray(value)) value = value[Number(name)];
      else value = isSection(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    }
    return value;
  }

  has(path: string): boolean {
    return this.get(path.split('.')) !== undefined;
  }

  /** Of the key itself, or else of the nearest thing around it. */
  originOf(path: readonly string[]): Origin | undefined {
    for (let length = path.length; length > 0; length--) {
      const origin = this.#origins.get(path.slice(0, length).join('.'));
      if (origin !== undefined) return origin;
    }
    return undefined;
  }

  /** Only where the value itself was given, not just its section; a shorthand (`orders: 13mo`) gives what is in it. */
  originOfValue(path: readonly string[]): Origin | undefined {
    for (let length = path.length; length > 0; length--) {
      const key = path.slice(0, length).join('.');
      if (this.#set.has(key)) return this.#origins.get(key);
    }
    return undefined;
  }
}

export function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Not an assignment, because a topic may be called `__proto__`. */
function define(section: Section, name: string, value: unknown): void {
  Object.defineProperty(section, name, { value, enumerable: true, configurable: true, writable: true });
}

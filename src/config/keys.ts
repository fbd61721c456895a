import { z } from 'zod';
import { Wrong, type Parse } from './scalars.ts';

/** What a message, the environment and the reference table need to know of one key. */
export interface KeyInfo {
  /** Completes "expected …". */
  readonly rule: string;
  /** One sentence for the reference table. */
  readonly summary: string;
  /** As an operator would write it; absent where there is none. */
  readonly defaultText?: string;
  /** Its value is never shown. */
  readonly secret?: boolean;
  /** Refused in files and on the command line. */
  readonly environmentOnly?: boolean;
}

export interface Key extends KeyInfo {
  /** `*` stands for a name the operator chooses. */
  readonly pattern: readonly string[];
}

const registry = z.registry<KeyInfo>();

type Leaf<T> = z.ZodPipe<z.ZodUnknown, z.ZodTransform<T>>;

/** A key that may be absent. */
export function optional<T>(parse: Parse<T>, info: KeyInfo): z.ZodExactOptional<Leaf<T>> {
  return leaf(parse, info).exactOptional().register(registry, info);
}

/** A key with a default, which goes through the same parser as any other value. */
export function defaulted<T>(
  parse: Parse<T>,
  info: KeyInfo & { readonly fallback: string | readonly string[] },
): z.ZodPrefault<Leaf<T>> {
  const { fallback, ...rest } = info;
  const defaultText = typeof fallback === 'string' ? fallback : `[${fallback.join(', ')}]`;
  return leaf(parse, rest)
    .prefault(fallback)
    .register(registry, { defaultText, ...rest });
}

/** A key that is a list: in YAML, or as words between commas. */
export function list<T>(parse: Parse<T>, limits: { readonly min: number } = { min: 0 }): Parse<readonly T[]> {
  return (value) => {
    const items: readonly unknown[] = Array.isArray(value) ? value : wordsOf(value);
    const parsed: T[] = [];
    const wrong: WrongItem[] = [];
    for (const [index, item] of items.entries()) {
      const one = parse(item);
      if (one instanceof Wrong) wrong.push({ index, expected: one.expected });
      else parsed.push(one);
    }
    if (wrong.length > 0) return new WrongItems(wrong);
    if (items.length === 0 && !Array.isArray(value)) return new Wrong();
    return items.length < limits.min ? new Wrong() : parsed;
  };
}

/** All keys of a schema, in its order. */
export function keysOf(schema: z.core.$ZodType, pattern: readonly string[] = []): Key[] {
  const info = registry.get(schema);
  if (info !== undefined) return [{ ...info, pattern }];
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodExactOptional) {
    return keysOf(schema.def.innerType, pattern);
  }
  if (schema instanceof z.ZodPipe) return keysOf(schema.def.out, pattern);
  if (schema instanceof z.ZodRecord) return keysOf(schema.def.valueType, [...pattern, '*']);
  if (schema instanceof z.ZodObject) {
    const shape: Readonly<Record<string, z.core.$ZodType>> = schema.shape;
    return Object.entries(shape).flatMap(([name, value]) => keysOf(value, [...pattern, name]));
  }
  throw new Error(`a schema without a key: ${pattern.join('.')}`);
}

interface WrongItem {
  readonly index: number;
  readonly expected: string | undefined;
}

class WrongItems extends Wrong {
  readonly items: readonly WrongItem[];

  constructor(items: readonly WrongItem[]) {
    super();
    this.items = items;
  }
}

function leaf<T>(parse: Parse<T>, info: KeyInfo): Leaf<T> {
  return z.unknown().transform((value, context): T => {
    const parsed = parse(value);
    if (!(parsed instanceof Wrong)) return parsed;
    const issue = { code: 'custom', input: value } as const;
    if (parsed instanceof WrongItems) {
      for (const { index, expected } of parsed.items) {
        context.issues.push({ ...issue, message: expected ?? info.rule, path: [index] });
      }
    } else {
      context.issues.push({ ...issue, message: parsed.expected ?? info.rule, path: [] });
    }
    return z.NEVER;
  });
}

function wordsOf(value: unknown): string[] {
  if (typeof value !== 'string') return [];
  return value
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

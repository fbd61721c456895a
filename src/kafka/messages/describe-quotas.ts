import type { Message } from './message.ts';

/**
 * DescribeClientQuotas, version 1 (Kafka 2.8), of all entities. `?` is nullable, `[x]` a compact array; strings are compact; every struct and
 * the whole end with tagged fields.
 *
 * request  = [ entity_type string, match_type int8, match ?string ] (none: all), strict bool
 * response = throttle_time_ms int32, error_code int16, error_message ?string,
 *            ?[ [ entity_type string, entity_name ?string (null: the default) ], [ key string, value float64 ] ]
 */
export interface DescribedQuotas {
  readonly errorCode: number;
  readonly quotas: readonly DescribedQuota[];
}

export interface DescribedQuota {
  /** All of them together; a null name is the default of its type. */
  readonly entity: readonly (readonly [type: string, name: string | null])[];
  readonly limits: readonly (readonly [key: string, value: number])[];
}

export const describeQuotasMessage: Message<undefined, DescribedQuotas> = {
  name: 'DescribeClientQuotas',
  apiKey: 48,
  version: 1,
  write(_, to) {
    to.array([], () => {});
    to.bool(false).noTags();
  },
  read(from) {
    const errorCode = from.int16();
    from.nullableString();
    const quotas = from.nullableArray(3, () => {
      const entity = from.array(3, () => {
        const named = [from.string(), from.nullableString() ?? null] as const;
        from.tags();
        return named;
      });
      const limits = from.array(10, () => {
        const limit = [from.string(), from.float64()] as const;
        if (!Number.isFinite(limit[1])) from.fail(`a finite limit, got ${limit[1]}`);
        from.tags();
        return limit;
      });
      from.tags();
      return { entity, limits };
    });
    from.tags();
    return { errorCode, quotas: quotas ?? [] };
  },
};

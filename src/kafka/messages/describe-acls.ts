import type { Reader } from '../reader.ts';
import type { Message } from './message.ts';

/**
 * DescribeAcls, version 2 (Kafka 2.4), of everything. `?` is nullable, `[x]` a compact array; strings are compact; every struct and the whole
 * end with tagged fields.
 *
 * request  = resource_type int8 (1: any), resource_name ?string, pattern_type int8 (1: any), principal ?string, host ?string,
 *            operation int8 (1: any), permission int8 (1: any)
 * response = throttle_time_ms int32, error_code int16, error_message ?string,
 *            [ resource_type int8, resource_name string, pattern_type int8,
 *              [ principal string, host string, operation int8, permission int8 ] ]
 */
export interface DescribedAcls {
  readonly errorCode: number;
  readonly acls: readonly DescribedAcl[];
}

export interface DescribedAcl {
  readonly resourceType: number;
  readonly resource: string;
  readonly patternType: number;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permission: number;
}

const any = 1;

export const describeAclsMessage: Message<undefined, DescribedAcls> = {
  name: 'DescribeAcls',
  apiKey: 29,
  version: 2,
  write(_, to) {
    to.int8(any).nullableString(undefined).int8(any).nullableString(undefined).nullableString(undefined);
    to.int8(any).int8(any).noTags();
  },
  read(from) {
    const errorCode = from.int16();
    from.nullableString();
    const acls = from.array(5, () => readResource(from)).flat();
    from.tags();
    return { errorCode, acls };
  },
};

function readResource(from: Reader): DescribedAcl[] {
  const resourceType = from.int8();
  const resource = from.string();
  const patternType = from.int8();
  const acls = from.array(5, () => {
    const principal = from.string();
    const host = from.string();
    const operation = from.int8();
    const permission = from.int8();
    from.tags();
    return { resourceType, resource, patternType, principal, host, operation, permission };
  });
  from.tags();
  return acls;
}

import type { Message } from './message.ts';

/**
 * DescribeUserScramCredentials, version 0 (Kafka 2.7), of all users. Kafka tells who there is, never a hash. `?` is nullable, `[x]` a compact
 * array; strings are compact; every struct and the whole end with tagged fields.
 *
 * request  = ?[ name string ] (none: all)
 * response = throttle_time_ms int32, error_code int16, error_message ?string,
 *            [ user string, error_code int16, error_message ?string, [ mechanism int8, iterations int32 ] ]
 */
export interface DescribedScramUsers {
  readonly errorCode: number;
  readonly users: readonly DescribedScramUser[];
}

export interface DescribedScramUser {
  readonly user: string;
  readonly errorCode: number;
  readonly mechanism: number;
  readonly iterations: number;
}

export const describeScramUsersMessage: Message<undefined, DescribedScramUsers> = {
  name: 'DescribeUserScramCredentials',
  apiKey: 50,
  version: 0,
  write(_, to) {
    // Not null: a broker that refuses a null list never answers (it trips over it while it makes the refusal).
    to.array([], () => {}).noTags();
  },
  read(from) {
    const errorCode = from.int16();
    from.nullableString();
    const users = from.array(6, () => {
      const user = from.string();
      const errorOfUser = from.int16();
      from.nullableString();
      const credentials = from.array(6, () => {
        const credential = { mechanism: from.int8(), iterations: from.int32() };
        from.tags();
        return { user, errorCode: errorOfUser, ...credential };
      });
      from.tags();
      return credentials;
    });
    from.tags();
    return { errorCode, users: users.flat() };
  },
};

/** What to do about an error code, for a caller that does not care which one it is. */
export type KafkaErrorKind =
  | 'ok'
  /** Ask the cluster who leads, and try again. */
  | 'metadata'
  /** The topic, or the partition, is not there. */
  | 'missing'
  | 'authorization'
  /** The offset is not in the log. */
  | 'range'
  /** The broker cannot read its own records. */
  | 'corrupt'
  /** Ask who coordinates the group, and try again. */
  | 'coordinator'
  | 'group'
  /** It may pass by itself. */
  | 'passing'
  | 'unknown';

export interface KafkaErrorText {
  readonly name: string;
  readonly kind: KafkaErrorKind;
  readonly retryable: boolean;
  readonly text: string;
}

/** Not Kafka's: the broker that was asked did not answer at all. */
export const noAnswer = -2;

const table: Readonly<Record<number, readonly [name: string, kind: KafkaErrorKind, text: string]>> = {
  [-2]: ['NO_ANSWER', 'metadata', 'the broker did not answer'],
  [-1]: ['UNKNOWN_SERVER_ERROR', 'unknown', 'the broker met an error it did not expect'],
  0: ['NONE', 'ok', 'no error'],
  1: ['OFFSET_OUT_OF_RANGE', 'range', 'the offset is not in the log'],
  2: ['CORRUPT_MESSAGE', 'corrupt', 'the broker found a record that fails its checksum'],
  3: ['UNKNOWN_TOPIC_OR_PARTITION', 'missing', 'the broker does not have this topic or partition'],
  5: ['LEADER_NOT_AVAILABLE', 'metadata', 'there is no leader'],
  6: ['NOT_LEADER_OR_FOLLOWER', 'metadata', 'the broker no longer leads this partition'],
  7: ['REQUEST_TIMED_OUT', 'passing', 'the broker did not finish in time'],
  8: ['BROKER_NOT_AVAILABLE', 'metadata', 'the broker is not available'],
  9: ['REPLICA_NOT_AVAILABLE', 'metadata', 'the replica is not available'],
  12: ['OFFSET_METADATA_TOO_LARGE', 'unknown', 'the note with the offset is too long'],
  13: ['NETWORK_EXCEPTION', 'passing', 'the broker lost a connection of its own'],
  14: ['COORDINATOR_LOAD_IN_PROGRESS', 'coordinator', 'the coordinator is still loading the group'],
  15: ['COORDINATOR_NOT_AVAILABLE', 'coordinator', 'the group has no coordinator yet'],
  16: ['NOT_COORDINATOR', 'coordinator', 'the group has moved to another coordinator'],
  19: ['NOT_ENOUGH_REPLICAS', 'passing', 'too few replicas are in sync'],
  22: ['ILLEGAL_GENERATION', 'group', 'the group has moved on to another generation'],
  25: ['UNKNOWN_MEMBER_ID', 'group', 'the group has live members'],
  27: ['REBALANCE_IN_PROGRESS', 'group', 'the group is rebalancing'],
  29: ['TOPIC_AUTHORIZATION_FAILED', 'authorization', 'this user may not read the topic'],
  30: ['GROUP_AUTHORIZATION_FAILED', 'authorization', 'this user may not use the group'],
  31: ['CLUSTER_AUTHORIZATION_FAILED', 'authorization', 'this user may not do that in the cluster'],
  35: ['UNSUPPORTED_VERSION', 'unknown', 'the broker does not know this version of the request'],
  41: ['NOT_CONTROLLER', 'metadata', 'the broker is not the controller'],
  42: ['INVALID_REQUEST', 'unknown', 'the broker could not make sense of the request'],
  56: ['KAFKA_STORAGE_ERROR', 'metadata', 'the broker has trouble with its disk'],
  60: ['DELEGATION_TOKEN_REQUEST_NOT_ALLOWED', 'unknown', 'not allowed over this connection'],
  69: ['GROUP_ID_NOT_FOUND', 'group', 'there is no such group'],
  70: ['FETCH_SESSION_ID_NOT_FOUND', 'passing', 'the broker has forgotten the fetch session'],
  71: ['INVALID_FETCH_SESSION_EPOCH', 'passing', 'the fetch session has moved on'],
  72: ['LISTENER_NOT_FOUND', 'metadata', 'the leader has no listener of this name'],
  74: ['FENCED_LEADER_EPOCH', 'metadata', 'there is a newer leader epoch'],
  75: ['UNKNOWN_LEADER_EPOCH', 'metadata', 'the broker does not know this leader epoch yet'],
  76: ['UNSUPPORTED_COMPRESSION_TYPE', 'unknown', 'the broker cannot send this compression'],
  78: ['OFFSET_NOT_AVAILABLE', 'metadata', 'the new leader does not know its end yet'],
  87: ['INVALID_RECORD', 'unknown', 'the broker refused the record'],
  100: ['UNKNOWN_TOPIC_ID', 'missing', 'the broker has no topic of this id'],
  103: ['INCONSISTENT_TOPIC_ID', 'missing', 'the broker has another topic under this name'],
};

const passingKinds: readonly KafkaErrorKind[] = ['metadata', 'missing', 'coordinator', 'passing', 'corrupt'];

/** A code of a later Kafka gets a name too. */
export function kafkaError(code: number): KafkaErrorText {
  const entry = table[code];
  if (entry === undefined) {
    return { name: `UNKNOWN(${code})`, kind: 'unknown', retryable: false, text: 'an error code this version does not know' };
  }
  const [name, kind, text] = entry;
  return { name, kind, retryable: passingKinds.includes(kind), text };
}

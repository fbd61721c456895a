import { noAnswer } from './api.ts';

/**
 * What to do about an error code: `metadata`: ask who leads, again; `authorization`: the operator must grant something;
 * `missing`: the topic, partition or group is not there; `range`: the offset is outside the log; `epoch`: the leader
 * epoch is not the leader's; `corrupt`: the broker cannot read its own log; `coordinator`: ask who coordinates, again;
 * `refused`: the request itself is at fault; `sequence`: the producer is not where the broker believes it to be;
 * `unavailable`: the broker cannot do it now.
 */
type KafkaErrorKind =
  | 'ok'
  | 'metadata'
  | 'authorization'
  | 'missing'
  | 'range'
  | 'epoch'
  | 'corrupt'
  | 'coordinator'
  | 'refused'
  | 'sequence'
  | 'unavailable'
  | 'unknown';

interface KafkaError {
  readonly name: string;
  readonly retryable: boolean;
  readonly kind: KafkaErrorKind;
  readonly text: string;
}

/** Explains a broker's error code; an unknown one is worth another try, because newer brokers know more codes. */
export function kafkaError(code: number): KafkaError {
  const row = byCode.get(code);
  if (row === undefined) {
    return {
      name: `UNKNOWN(${code})`,
      retryable: true,
      kind: 'unknown',
      text: 'an error code this program does not know',
    };
  }
  const [name, kind, again, text] = row;
  return { name, kind, retryable: again === 'again', text };
}

type Row = readonly [name: string, kind: KafkaErrorKind, again: 'again' | 'never', text: string];

const byCode: ReadonlyMap<number, Row> = new Map<number, Row>([
  [noAnswer, ['NO_ANSWER', 'metadata', 'again', 'the broker could not be asked']],
  [-1, ['UNKNOWN_SERVER_ERROR', 'unavailable', 'again', 'the broker failed in a way it does not explain']],
  [0, ['NONE', 'ok', 'never', 'no error']],
  [1, ['OFFSET_OUT_OF_RANGE', 'range', 'never', 'the offset is outside the log']],
  [2, ['CORRUPT_MESSAGE', 'corrupt', 'again', 'the broker found a record that fails its checksum']],
  [3, ['UNKNOWN_TOPIC_OR_PARTITION', 'missing', 'again', 'the broker does not host this topic or partition']],
  [5, ['LEADER_NOT_AVAILABLE', 'metadata', 'again', 'the partition has no leader now']],
  [
    6,
    ['NOT_LEADER_OR_FOLLOWER', 'metadata', 'again', 'the broker is not a replica of this partition any more'],
  ],
  [7, ['REQUEST_TIMED_OUT', 'unavailable', 'again', 'the broker did not finish in time']],
  [8, ['BROKER_NOT_AVAILABLE', 'metadata', 'again', 'the broker is not available']],
  [9, ['REPLICA_NOT_AVAILABLE', 'metadata', 'again', 'the replica is not available']],
  [10, ['MESSAGE_TOO_LARGE', 'refused', 'never', 'the batch is larger than the broker accepts']],
  [12, ['OFFSET_METADATA_TOO_LARGE', 'refused', 'never', 'the metadata of the committed offset is too long']],
  [13, ['NETWORK_EXCEPTION', 'unavailable', 'again', 'the broker lost a connection it needed']],
  [14, ['COORDINATOR_LOAD_IN_PROGRESS', 'coordinator', 'again', 'the coordinator is still loading']],
  [15, ['COORDINATOR_NOT_AVAILABLE', 'coordinator', 'again', 'there is no coordinator now']],
  [16, ['NOT_COORDINATOR', 'coordinator', 'again', 'the broker is not the coordinator of this group']],
  [17, ['INVALID_TOPIC_EXCEPTION', 'refused', 'never', 'the topic has a name that is not allowed']],
  [18, ['RECORD_LIST_TOO_LARGE', 'refused', 'never', 'the batch is larger than a segment of the topic']],
  [19, ['NOT_ENOUGH_REPLICAS', 'unavailable', 'again', 'too few replicas are in sync']],
  [
    20,
    [
      'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
      'unavailable',
      'again',
      'written, but too few replicas were in sync',
    ],
  ],
  [22, ['ILLEGAL_GENERATION', 'refused', 'never', 'the group has moved on to another generation']],
  [24, ['INVALID_GROUP_ID', 'refused', 'never', 'the group has a name that is not allowed']],
  [25, ['UNKNOWN_MEMBER_ID', 'refused', 'never', 'the group has active members, and we are none of them']],
  [27, ['REBALANCE_IN_PROGRESS', 'coordinator', 'again', 'the group is rebalancing']],
  [
    28,
    ['INVALID_COMMIT_OFFSET_SIZE', 'refused', 'never', 'the offset with its metadata is too large to commit'],
  ],
  [29, ['TOPIC_AUTHORIZATION_FAILED', 'authorization', 'never', 'this user lacks a right on the topic']],
  [
    30,
    [
      'GROUP_AUTHORIZATION_FAILED',
      'authorization',
      'never',
      'this user lacks the right Read or Describe on the group',
    ],
  ],
  [31, ['CLUSTER_AUTHORIZATION_FAILED', 'authorization', 'never', 'this user lacks a right on the cluster']],
  [32, ['INVALID_TIMESTAMP', 'refused', 'never', 'the topic does not accept the time of a record']],
  [33, ['UNSUPPORTED_SASL_MECHANISM', 'authorization', 'never', 'the listener does not have this mechanism']],
  [34, ['ILLEGAL_SASL_STATE', 'authorization', 'never', 'the listener does not authenticate, or not now']],
  [35, ['UNSUPPORTED_VERSION', 'refused', 'never', 'the broker does not know this version of the request']],
  [36, ['TOPIC_ALREADY_EXISTS', 'refused', 'never', 'a topic of this name exists']],
  [37, ['INVALID_PARTITIONS', 'refused', 'never', 'the number of partitions is not allowed']],
  [
    38,
    ['INVALID_REPLICATION_FACTOR', 'refused', 'never', 'there are not enough brokers for so many replicas'],
  ],
  [39, ['INVALID_REPLICA_ASSIGNMENT', 'refused', 'never', 'the replicas cannot be placed like this']],
  [40, ['INVALID_CONFIG', 'refused', 'never', 'the cluster does not accept a setting']],
  [41, ['NOT_CONTROLLER', 'metadata', 'again', 'the broker is not the controller']],
  [42, ['INVALID_REQUEST', 'refused', 'never', 'the broker found the request malformed']],
  [43, ['UNSUPPORTED_FOR_MESSAGE_FORMAT', 'refused', 'never', 'the log is in a format too old for this']],
  [44, ['POLICY_VIOLATION', 'refused', 'never', 'a policy of the cluster forbids it']],
  [45, ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'sequence', 'never', 'the batch does not follow the one before it']],
  [46, ['DUPLICATE_SEQUENCE_NUMBER', 'sequence', 'never', 'the batch was written before']],
  [47, ['INVALID_PRODUCER_EPOCH', 'sequence', 'never', 'another producer has taken the place of this one']],
  [51, ['CONCURRENT_TRANSACTIONS', 'coordinator', 'again', 'another transaction is still being ended']],
  [54, ['SECURITY_DISABLED', 'refused', 'never', 'the cluster has no authorizer']],
  [56, ['KAFKA_STORAGE_ERROR', 'corrupt', 'again', 'the broker has trouble with its disk']],
  [58, ['SASL_AUTHENTICATION_FAILED', 'authorization', 'never', 'the credentials are wrong']],
  [59, ['UNKNOWN_PRODUCER_ID', 'sequence', 'never', 'the broker has forgotten the producer']],
  [68, ['NON_EMPTY_GROUP', 'refused', 'never', 'the group has active members']],
  [69, ['GROUP_ID_NOT_FOUND', 'missing', 'never', 'there is no such group']],
  [70, ['FETCH_SESSION_ID_NOT_FOUND', 'unavailable', 'again', 'the broker has forgotten the fetch session']],
  [71, ['INVALID_FETCH_SESSION_EPOCH', 'unavailable', 'again', 'the fetch session is at another epoch']],
  [72, ['LISTENER_NOT_FOUND', 'metadata', 'again', 'the leader has no listener of this name']],
  [73, ['TOPIC_DELETION_DISABLED', 'refused', 'never', 'the cluster does not let topics be deleted']],
  [74, ['FENCED_LEADER_EPOCH', 'epoch', 'again', 'our leader epoch is older than the broker knows']],
  [75, ['UNKNOWN_LEADER_EPOCH', 'epoch', 'again', 'our leader epoch is newer than the broker knows']],
  [78, ['OFFSET_NOT_AVAILABLE', 'epoch', 'again', 'the new leader does not know its high watermark yet']],
  [86, ['GROUP_SUBSCRIBED_TO_TOPIC', 'refused', 'never', 'the group has subscribed to the topic']],
  [87, ['INVALID_RECORD', 'refused', 'never', 'the broker refused a record']],
  [88, ['UNSTABLE_OFFSET_COMMIT', 'coordinator', 'again', 'a transaction is about to change the offset']],
  [89, ['THROTTLING_QUOTA_EXCEEDED', 'unavailable', 'again', 'the quota is used up']],
  [
    100,
    ['UNKNOWN_TOPIC_ID', 'missing', 'again', 'the broker does not know this topic id (yet, or any more)'],
  ],
  [103, ['INCONSISTENT_TOPIC_ID', 'missing', 'again', "the broker's log belongs to another topic id"]],
  [106, ['FETCH_SESSION_TOPIC_ID_ERROR', 'missing', 'again', 'the fetch session mixes names and topic ids']],
  [109, ['OFFSET_MOVED_TO_TIERED_STORAGE', 'range', 'never', 'the offset is in remote storage']],
]);

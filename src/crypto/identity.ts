/**
 * Who an object is. The identity is hashed into the object's key and stands nowhere in the file, so an object under
 * another name does not open. Layout, big-endian:
 *
 *   repository id 16 | u8 length, instance | by kind:
 *     segment   topic id 16 | u16 length, topic | u32 partition | u64 base | u64 next offset
 *     index     u16 length, path of the pack
 *     manifest  u8 length, snapshot id | u64 seq
 *     keyring   u32 number                        (its instance is empty)
 *     mark      u8 length, snapshot id | u8 length, type
 */
interface OfInstance {
  /** UUID, in lower case */
  readonly repository: string;
  readonly instance: string;
}

export type ObjectIdentity =
  | (OfInstance & {
      readonly kind: 'segment';
      /** Kafka's text form */
      readonly topicId: string;
      readonly topic: string;
      readonly partition: number;
      readonly base: bigint;
      readonly next: bigint;
    })
  | (OfInstance & { readonly kind: 'index'; readonly pack: string })
  | (OfInstance & { readonly kind: 'manifest'; readonly snapshot: string; readonly seq: bigint })
  | { readonly kind: 'keyring'; readonly repository: string; readonly number: number }
  | (OfInstance & { readonly kind: 'mark'; readonly snapshot: string; readonly type: string });

export type ObjectKind = ObjectIdentity['kind'];

export function encodeIdentity(identity: ObjectIdentity): Buffer {
  const instance = identity.kind === 'keyring' ? '' : identity.instance;
  return Buffer.concat([bytesOfUuid(identity.repository), prefixed(1, instance), ...ownParts(identity)]);
}

function ownParts(identity: ObjectIdentity): Buffer[] {
  const { kind } = identity;
  if (kind === 'segment')
    return [
      bytesOfTopicId(identity.topicId),
      prefixed(2, identity.topic),
      u32(identity.partition),
      u64(identity.base),
      u64(identity.next),
    ];
  if (kind === 'index') return [prefixed(2, identity.pack)];
  if (kind === 'manifest') return [prefixed(1, identity.snapshot), u64(identity.seq)];
  if (kind === 'keyring') return [u32(identity.number)];
  return [prefixed(1, identity.snapshot), prefixed(1, identity.type)];
}

/** For messages. */
export function nameOfObject(identity: ObjectIdentity): string {
  const { kind } = identity;
  if (kind === 'segment') return `segment ${identity.base} of ${identity.topic}/${identity.partition}`;
  if (kind === 'index') return `index of pack ${identity.pack}`;
  if (kind === 'manifest') return `manifest of snapshot ${identity.snapshot}`;
  if (kind === 'keyring') return `keyring ${identity.number}`;
  return `${identity.type} mark of snapshot ${identity.snapshot}`;
}

export function bytesOfUuid(uuid: string): Buffer {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) throw new Error(`not a UUID: ${uuid}`);
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

export function bytesOfTopicId(topicId: string): Buffer {
  const bytes = Buffer.from(topicId, 'base64url');
  if (bytes.length !== 16 || bytes.toString('base64url') !== topicId)
    throw new Error(`not a topic id: ${topicId}`);
  return bytes;
}

function prefixed(prefixBytes: 1 | 2, text: string): Buffer {
  const bytes = Buffer.from(text);
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUIntBE(bytes.length, 0, prefixBytes);
  return Buffer.concat([prefix, bytes]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

import { encodeBase32 } from './base32.ts';
import { keyedBlake2b } from './blake2b.ts';
import { bytesOfTopicId } from './identity.ts';
import type { Key } from './key.ts';

/**
 * What stands for a topic in the names inside a pack: 32 letters. It hangs on the root key, which never changes, so a
 * rotated content key does not rename anything.
 */
export function topicToken(root: Key, topic: { readonly id: string; readonly name: string }): string {
  const tokenKey = keyedBlake2b(root.secret(), 32, 'varve1 token key');
  return encodeBase32(keyedBlake2b(tokenKey, 20, 'varve1 token', bytesOfTopicId(topic.id), topic.name));
}

/** Orders carried out in this process: what the child does, without the starting of one. */
import { stretchByArgon2 } from '../../src/crypto/crypto.ts';
import { writeSlot } from '../../src/repository/repository.ts';
import type { OrderContext } from '../../src/target/context.ts';
import type { Store } from '../snapshot/given.ts';

async function nothing(): Promise<void> {
  // nobody listens
}

export function contextOf(store: Store): OrderContext {
  return {
    host: store.host,
    settings: store.settings,
    emit: () => undefined,
    give: nothing,
    pour: nothing,
    listen: () => undefined,
    signal: new AbortController().signal,
    stretch: stretchByArgon2,
  };
}

export async function addSlot(store: Store, slot: string, keyFile: Buffer): Promise<void> {
  const { root, identity } = await store.open();
  const { repository } = identity;
  const folder = store.target;
  await writeSlot(store.host, {
    folder,
    repository,
    slot,
    root,
    secret: { keyFile },
    stretch: stretchByArgon2,
  });
}

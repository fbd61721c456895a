/** Everything that the child can be told to do. Each is loaded when it is asked for. */
import type { OrderContext } from './context.ts';

type Changing = typeof import('./changing.ts');
type Looking = typeof import('./looking.ts');

const changing = async (): Promise<Changing> => import('./changing.ts');
const looking = async (): Promise<Looking> => import('./looking.ts');

const rooms = {
  cycle: changing,
  init: changing,
  pin: changing,
  expire: changing,
  unlock: changing,
  slots: changing,
  addSlot: changing,
  dropSlot: changing,
  list: looking,
  show: looking,
  overview: looking,
  instances: looking,
  verify: looking,
  read: looking,
};

type Rooms = typeof rooms;

export type Orders = {
  readonly [Name in keyof Rooms]: Name extends keyof Awaited<ReturnType<Rooms[Name]>>
    ? Awaited<ReturnType<Rooms[Name]>>[Name]
    : never;
};

export type RunOrder = (context: OrderContext, params: unknown) => Promise<unknown>;

export async function findOrder(name: string): Promise<RunOrder> {
  if (!Object.hasOwn(rooms, name)) throw new Error(`no such order: ${name}`);
  const load = rooms[name as keyof Rooms]; // looked up just before
  return Reflect.get(await load(), name) as RunOrder; // the table names functions of these rooms only
}

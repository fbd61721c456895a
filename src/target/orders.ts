/** Everything that the child can be told to do. Each is loaded when it is asked for. */
import type * as Changes from './changing.ts';
import type { OrderContext } from './context.ts';
import type * as Keeps from './keeping.ts';
import type * as Exports from './exporting.ts';
import type * as Looks from './looking.ts';
import type * as Retires from './retiring.ts';
import type * as Serves from './serving.ts';

type Changing = typeof Changes;
type Keeping = typeof Keeps;
type Looking = typeof Looks;

const changing = async (): Promise<Changing> => import('./changing.ts');
const keeping = async (): Promise<Keeping> => import('./keeping.ts');
const looking = async (): Promise<Looking> => import('./looking.ts');

const rooms = {
  cycle: changing,
  init: changing,
  pin: changing,
  noteDrill: changing,
  expire: changing,
  repack: changing,
  retire: async (): Promise<typeof Retires> => import('./retiring.ts'),
  unlock: changing,
  keys: keeping,
  addSlot: keeping,
  recoverSlot: keeping,
  dropSlot: keeping,
  rotateKey: keeping,
  sheet: keeping,
  list: looking,
  show: looking,
  overview: looking,
  instances: looking,
  probe: looking,
  strata: looking,
  verify: looking,
  exportSnapshot: async (): Promise<typeof Exports> => import('./exporting.ts'),
  serve: async (): Promise<typeof Serves> => import('./serving.ts'),
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
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- looked up just before
  const load = rooms[name as keyof Rooms];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the table names functions of these files only
  return Reflect.get(await load(), name) as RunOrder;
}

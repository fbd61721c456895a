/** Everything that the child can be told to do. Each is loaded when it is asked for. */
import type { OrderContext } from './context.ts';

type Changing = typeof import('./changing.ts');
type Looking = typeof import('./looking.ts');

const changing = async (): Promise<Changing> => import('./changing.ts');
const looking = async (): Promise<Looking> => import('./looking.ts');

export const orders = {
  cycle: lazily(changing, 'cycle'),
  init: lazily(changing, 'init'),
  pin: lazily(changing, 'pin'),
  expire: lazily(changing, 'expire'),
  unlock: lazily(changing, 'unlock'),
  slots: lazily(changing, 'slots'),
  addSlot: lazily(changing, 'addSlot'),
  dropSlot: lazily(changing, 'dropSlot'),
  list: lazily(looking, 'list'),
  show: lazily(looking, 'show'),
  overview: lazily(looking, 'overview'),
  instances: lazily(looking, 'instances'),
  verify: lazily(looking, 'verify'),
  read: lazily(looking, 'read'),
};

export type Orders = typeof orders;

type OrderFunction = (context: OrderContext, params: never) => Promise<unknown>;

function lazily<Room extends object, Name extends keyof Room>(
  load: () => Promise<Room>,
  name: Name,
): Room[Name] & OrderFunction {
  const run = async (context: OrderContext, params: unknown): Promise<unknown> => {
    const order = (await load())[name] as unknown as (of: OrderContext, given: unknown) => Promise<unknown>; // as the return type says
    return await order(context, params);
  };
  return run as unknown as Room[Name] & OrderFunction; // the very function, but loaded later
}

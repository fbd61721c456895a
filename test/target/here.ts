/**
 * In place of src/target/ask.ts: the child's orders, carried out in the test's own process, without the start of another
 * (half a second of a processor for each). What is asked and what is answered crosses as if to a child: copied as a
 * message is, and an error told in words.
 *
 *     vi.mock('../../src/target/ask.ts', async () => import('../target/here.ts'));
 *
 * For tests of what orders do. What a child is for (a target that hangs, a kill, memory) needs the child.
 */
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { deserialize, serialize } from 'node:v8';
import { VarveError } from '../../src/errors.ts';
import { systemHost, type Host } from '../../src/host/host.ts';
import { withOwners } from '../../src/repository/repository.ts';
import type { Order, OrderName, OrderResult } from '../../src/target/ask.ts';
import type { OrderContext } from '../../src/target/context.ts';
import { findOrder } from '../../src/target/orders.ts';
import { stretchInChild } from '../../src/target/stretch.ts';
import { heard, tell } from '../../src/target/told.ts';

export async function runOrder<Name extends OrderName>(
  _host: Host,
  order: Order<Name>,
): Promise<OrderResult<Name>> {
  const { signal = new AbortController().signal, settings } = order;
  const child = new EventEmitter();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of the child, its end alone is waited for
  order.onChild?.(child as ChildProcess);
  try {
    const params: unknown = typeof order.params === 'function' ? await order.params() : order.params;
    const run = await findOrder(order.order);
    const result = run(contextOf(order, signal), copied(params));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both sides are typed by one table
    return copied(await result) as OrderResult<Name>;
  } catch (error) {
    if (signal.aborted) throw new VarveError('interrupted', 'stopped before the end', { cause: error });
    throw heard(tell(await withOwners(error, systemHost.disk)), settings.repository.dir);
  } finally {
    child.emit('exit');
  }
}

function contextOf(order: Order<OrderName>, signal: AbortSignal): OrderContext {
  return {
    host: systemHost,
    settings: copied(order.settings),
    emit: (event) => order.onEvent?.(copied(event)),
    give: async (item) => order.onItem?.(copied(item)),
    async pour(pieces, pipe) {
      for (const piece of pieces) order.onPoured?.(piece, pipe);
    },
    // Never heard before whoever tells it has gone on, as from one process to another.
    listen: (onTold) => order.onBegun?.((told) => queueMicrotask(() => onTold(copied(told)))),
    signal,
    stretch: stretchInChild,
  };
}

function copied<T>(message: T): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a copy is what it was
  return deserialize(serialize(message)) as T;
}

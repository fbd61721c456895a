import { snapshotSettings } from '../daemon/daemon.ts';
import type { Config } from '../config/config.ts';
import { readMemory, type Memory } from '../repository/repository.ts';
import {
  runOrder,
  type Order,
  type OrderName,
  type OrderParams,
  type OrderResult,
} from '../target/target.ts';
import type { CommandContext } from './command.ts';

/** What this installation noted of its repository; nothing where there is no local folder. */
export async function recall(
  { host }: Pick<CommandContext, 'host'>,
  { local }: Config,
): Promise<Memory | undefined> {
  return local.dir === undefined ? undefined : await readMemory(host, local.dir);
}

/** Has the child process carry out an order on the configured repository: nothing here touches the target itself. */
export async function askTarget<Name extends OrderName>(
  context: Pick<CommandContext, 'host' | 'signal'>,
  o: {
    config: Config;
    order: Name;
    params: OrderParams<Name>;
    onEvent?: Order<Name>['onEvent'];
    onItem?: Order<Name>['onItem'];
  },
): Promise<OrderResult<Name>> {
  const { config, order, params, onEvent, onItem } = o;
  const { host, signal } = context;
  return await runOrder<Name>(host, {
    order,
    params,
    settings: snapshotSettings(config),
    signal,
    ...(onEvent === undefined ? {} : { onEvent }),
    ...(onItem === undefined ? {} : { onItem }),
  });
}

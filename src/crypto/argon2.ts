import { argon2 } from 'node:crypto';
import { VarveError } from '../errors.ts';
import { keyBytes } from './key.ts';

export interface Argon2Cost {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

export interface Argon2Request extends Argon2Cost {
  readonly passphrase: Buffer;
  /** 16 bytes */
  readonly salt: Buffer;
}

/** Argon2id, in this process or in a short-lived child: it takes as much memory as it is asked for. */
export type Stretch = (request: Argon2Request) => Promise<Buffer>;

/** Node computes whatever it is asked for: 16 GiB ran for a minute. */
export const argon2Bounds = {
  memoryKiB: { min: 64 * 1024, max: 1024 * 1024 },
  passes: { min: 1, max: 10 },
  lanes: { min: 1, max: 4 },
} as const satisfies Record<keyof Argon2Cost, { min: number; max: number }>;

export const defaultCost: Argon2Cost = { memoryKiB: 256 * 1024, passes: 3, lanes: 1 };

export function checkCost(cost: Argon2Cost, what: string): void {
  for (const name of ['memoryKiB', 'passes', 'lanes'] as const) {
    const { min, max } = argon2Bounds[name];
    const got = cost[name];
    if (!Number.isInteger(got) || got < min || got > max)
      throw new VarveError('damage', `${what}: expected ${name} between ${min} and ${max}, got ${got}`, {
        hint: 'restore the slot file from another copy of keys/, or open the repository by another slot',
      });
  }
}

export const stretchByArgon2: Stretch = async ({ passphrase, salt, memoryKiB, passes, lanes }) => {
  checkCost({ memoryKiB, passes, lanes }, 'argon2id');
  return new Promise((resolve, reject) => {
    argon2(
      'argon2id',
      {
        message: passphrase,
        nonce: salt,
        memory: memoryKiB,
        passes,
        parallelism: lanes,
        tagLength: keyBytes,
      },
      (error, stretched) => {
        if (error === null) resolve(stretched);
        else reject(error);
      },
    );
  });
};

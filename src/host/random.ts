import { randomBytes, randomUUID } from 'node:crypto';

/** Randomness as a port, so that a simulation can be repeated from its seed. */
export interface Random {
  bytes(count: number): Buffer;
  uuid(): string;
}

export const systemRandom: Random = { bytes: (count) => randomBytes(count), uuid: () => randomUUID() };

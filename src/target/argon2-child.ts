/** Argon2 in a process of its own: the memory that it takes is gone with it, and nobody's event loop waits. */
import { stretchByArgon2, type Argon2Request } from '../crypto/crypto.ts';
import { messageOf } from '../errors.ts';

process.once('message', (request: Argon2Request) => {
  const { passphrase, salt, ...cost } = request;
  stretchByArgon2({ passphrase: Buffer.from(passphrase), salt: Buffer.from(salt), ...cost }).then(
    (stretched) => answer({ stretched }),
    (error: unknown) => answer({ problem: messageOf(error) }),
  );
});

function answer(message: { stretched: Buffer } | { problem: string }): void {
  process.send?.(message, undefined, undefined, () => process.disconnect());
}

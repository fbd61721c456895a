/** The uid with which files are made, as this machine counts them. */
export function processOwner(): number {
  return process.geteuid?.() ?? 0;
}

/** A process with a thread that hangs in a call of the kernel ends in no other way; even so only once the call returns. */
export function killThisProcess(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('a killed process goes on');
}

/** Ends every process of a group, which its first one gave its number. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody of it is left.
  }
}

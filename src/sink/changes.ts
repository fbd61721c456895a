/** Lets others wait until something holds that is looked at whenever anything has changed. */
export class Changes {
  readonly #looks = new Set<() => void>();

  tell(): void {
    for (const look of this.#looks) look();
  }

  /** Rejects with what the condition throws. */
  async until(holds: () => boolean, signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        try {
          if (holds()) finish(resolve);
        } catch (error) {
          finish(() => reject(error));
        }
      };
      const finish = (settle: () => void): void => {
        this.#looks.delete(look);
        signal?.removeEventListener('abort', look);
        settle();
      };
      this.#looks.add(look);
      signal?.addEventListener('abort', look);
      look();
    });
  }
}

/** One line at the bottom of a terminal that is rewritten in place, below lines that stay. */
export class StatusLine {
  readonly #write: (text: string) => void;
  readonly #columns: number;
  #shown = false;

  constructor(write: (text: string) => void, columns: number) {
    this.#write = write;
    this.#columns = columns;
  }

  show(text: string): void {
    this.#write(`\r\u{1b}[2K${text.slice(0, this.#columns - 1)}`);
    this.#shown = true;
  }

  /** Takes the line away, so that something else can be written. */
  clear(): void {
    if (this.#shown) this.#write('\r\u{1b}[2K');
    this.#shown = false;
  }
}

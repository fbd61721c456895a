import type { Reader, Writer } from '../primitives.ts';

/** One request of the protocol and its answer, in one version. */
export interface Message<Request, Response> {
  readonly name: string;
  readonly apiKey: number;
  readonly apiVersion: number;
  write(request: Request, writer: Writer): void;
  /** What it returns may hold views of the reader's bytes. */
  read(reader: Reader): Response;
  /** The broker asks for silence of so many milliseconds. */
  throttleMs(response: Response): number;
}

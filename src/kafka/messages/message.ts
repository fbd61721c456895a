import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

/**
 * One request and its response, in the one version that this program speaks. All but those that say otherwise are of the
 * flexible kind, and all responses begin with throttle_time_ms (or end with it, where `throttle` says so), which the wire reads
 * for itself and the response's reader does not see; one that stands `inside` is not looked at.
 */
export interface Message<Request, Response> {
  readonly name: string;
  readonly apiKey: number;
  readonly version: number;
  readonly throttle?: 'last' | 'inside';
  /** Of the old kind: plain lengths, no tagged fields. */
  readonly flexible?: false;
  write(request: Request, to: Writer): void;
  read(from: Reader): Response;
}

/** One record in the shape of a line of `varve cat --json`. */
export type KafkaRow = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: bigint;
  readonly timestampType: 'CreateTime' | 'LogAppendTime';
  /** Base64, as are the value and the headers' values. */
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [name: string, value: string | null])[];
};

/** Offsets and timestamps are integers of 64 bits, which JSON.parse would round: they are taken from the text. */
export function parseRow(line: string): KafkaRow {
  const quoted = line.replace(/"offset":(-?\d+),"timestamp":(-?\d+)/, '"offset":"$1","timestamp":"$2"');
  // The line is ours, or is about to be compared with one of ours.
  const row: Omit<KafkaRow, 'offset' | 'timestamp'> & {
    offset: string;
    timestamp: string;
  } = JSON.parse(quoted);
  return { ...row, offset: BigInt(row.offset), timestamp: BigInt(row.timestamp) };
}

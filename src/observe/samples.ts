import { Counter, Gauge, Registry } from '@prometheus-io/client';

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number | undefined;
}

export interface Metric {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly samples: readonly Sample[];
}

export function gauge(name: string, help: string, value: number | undefined): Metric {
  return { name, type: 'gauge', help, samples: [{ value }] };
}

export function counter(name: string, help: string, value: number | undefined): Metric {
  return { name, type: 'counter', help, samples: [{ value }] };
}

export function many(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: 'gauge', help, samples };
}

/** One sample for each word, in a label of that name. */
export function perWord(
  label: string,
  values: Readonly<Record<string, number | undefined>>,
): readonly Sample[] {
  return Object.entries(values).map(([word, value]) => ({ labels: { [label]: word }, value }));
}

/** Times are told in seconds, as is the custom. */
export function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

/**
 * In the text format of Prometheus. The registry lives for one scrape: the facts are the only record of what is
 * counted, and a topic that went leaves no series behind. What is not known is left out.
 */
export async function textOf(metrics: readonly Metric[]): Promise<string> {
  const registry = new Registry();
  for (const { name, type, help, samples } of metrics) {
    const known = samples.filter(
      (sample): sample is Sample & { value: number } => sample.value !== undefined,
    );
    if (known.length === 0) continue;
    const labelNames = Object.keys(known[0]?.labels ?? {});
    const shape = { name, help, labelNames, registers: [registry] };
    if (type === 'gauge') {
      const of = new Gauge(shape);
      for (const { labels = {}, value } of known) of.set(labels, value);
    } else {
      const of = new Counter(shape);
      for (const { labels = {}, value } of known) of.inc(labels, value);
    }
  }
  return await registry.metrics();
}

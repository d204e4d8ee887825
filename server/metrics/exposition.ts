/**
 * Lives here: counters, histograms and gauges, and the text in which
 * Prometheus reads them (exposition format 0.0.4). Does not know: what is counted.
 *
 * A hundred lines instead of a library: prom-client is good, but brings three
 * more packages into a daemon that runs as root, to do this.
 */

/** Labels by name. */
export type Labels = Readonly<Record<string, string>>;

/** One value with its labels. */
export interface Sample {
  labels: Labels;
  value: number;
}

/** Something that is measured. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** The lines without comments: what stands after the metric's name, the labels, the value. */
  samples(): { suffix: string; labels: Labels; value: number }[];
}

/** Only grows. */
export class Counter implements Metric {
  readonly type = 'counter';
  readonly #values = new Map<string, Sample>();

  constructor(readonly name: string, readonly help: string) {}

  /** Adds one. @param labels always with the same names, in the same order */
  add(labels: Labels): void {
    this.at(labels).value += 1;
  }

  /** The value with these labels, for who adds to it often. */
  at(labels: Labels): Sample {
    const key = keyOf(labels);
    let sample = this.#values.get(key);
    if (sample === undefined) this.#values.set(key, sample = { labels, value: 0 });
    return sample;
  }

  samples(): ReturnType<Metric['samples']> {
    return [...this.#values.values()].map(({ labels, value }) => ({ suffix: '', labels, value }));
  }
}

/** How often a value was how large, with the same labels. */
export interface Series {
  labels: Labels;
  buckets: number[];
  sum: number;
  count: number;
}

/** How often a value was how large. */
export class Histogram implements Metric {
  readonly type = 'histogram';
  readonly #series = new Map<string, Series>();

  /** @param bounds the upper bounds of its buckets, rising, without the last, which has none */
  constructor(readonly name: string, readonly help: string, private readonly bounds: readonly number[]) {}

  /** The values with these labels. */
  at(labels: Labels): Series {
    const key = keyOf(labels);
    let series = this.#series.get(key);
    if (series === undefined) this.#series.set(key, series = { labels, buckets: this.bounds.map(() => 0), sum: 0, count: 0 });
    return series;
  }

  /** Takes note of a value. @param series where, as `at` says */
  observe(series: Series, value: number): void {
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    if (bucket >= 0) series.buckets[bucket]! += 1;
    series.sum += value;
    series.count += 1;
  }

  samples(): ReturnType<Metric['samples']> {
    return [...this.#series.values()].flatMap(({ labels, buckets, sum, count }) => {
      let below = 0;
      const lines = buckets.map((number, index) => ({ suffix: '_bucket', labels: { ...labels, le: String(this.bounds[index]) }, value: below += number }));
      return [...lines, { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: count }, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: count }];
    });
  }
}

function keyOf(labels: Labels): string {
  return Object.values(labels).join('\0');
}

/** Values that are read when somebody asks. */
export function reading(type: 'counter' | 'gauge', name: string, help: string, samples: readonly Sample[] | number): Metric {
  const list = typeof samples === 'number' ? [{ labels: {}, value: samples }] : samples;
  return { type, name, help, samples: () => list.map((sample) => ({ suffix: '', ...sample })) };
}

/** The text of metrics. Pure. */
export function renderMetrics(metrics: readonly Metric[]): string {
  return metrics.map((metric) => {
    const { name, help, type } = metric;
    const lines = metric.samples().map(({ suffix, labels, value }) => `${name}${suffix}${renderLabels(labels)} ${renderValue(value)}\n`);
    return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n${lines.join('')}`;
  }).join('');
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function renderValue(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

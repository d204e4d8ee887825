/**
 * Lives here: a reader of Prometheus' text format that forgives nothing. Does
 * not know: which metrics there are.
 */
import { get } from 'node:http';
import type { Daemon } from './processes.js';

/** A metric as it was read. */
export interface ReadMetric {
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const value = String.raw`[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN`;
const sampleLine = new RegExp(String.raw`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (${value})$`);

/** Reads metrics. @throws Error for whatever the format does not allow */
export function parseMetrics(text: string): Map<string, ReadMetric> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const metrics = new Map<string, ReadMetric>();
  let name = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const [, comment, about = '', rest = ''] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line) ?? [];
    if (comment === 'HELP') {
      if (metrics.has(about)) throw new Error(`${about} comes twice`);
      metrics.set(name = about, { type: '', help: rest, samples: [] });
    } else if (comment === 'TYPE') {
      const metric = metrics.get(about);
      if (about !== name || metric === undefined || metric.type !== '' || metric.samples.length > 0) throw new Error(`TYPE out of place: ${line}`);
      if (!['counter', 'gauge', 'histogram'].includes(rest)) throw new Error(`no such type: ${line}`);
      metric.type = rest;
    } else {
      takeSample(metrics.get(name), name, line);
    }
  }
  for (const [about, metric] of metrics) checkMetric(about, metric);
  return metrics;
}

function takeSample(metric: ReadMetric | undefined, of: string, line: string): void {
  const [, name, labels = '', number = ''] = sampleLine.exec(line) ?? [];
  if (name === undefined || metric === undefined || metric.type === '') throw new Error(`not understood: ${line}`);
  const suffixes = metric.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
  if (!suffixes.some((suffix) => name === of + suffix)) throw new Error(`${line} stands below ${of}`);
  metric.samples.push({ name, labels: parseLabels(labels), value: number === '+Inf' ? Infinity : Number(number) });
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const [all, name, quoted] = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,(?=.)|$)/.exec(rest) ?? [];
    if (all === undefined || name! in labels) throw new Error(`labels not understood: ${text}`);
    labels[name!] = quoted!.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
    rest = rest.slice(all.length);
  }
  return labels;
}

function checkMetric(name: string, { type, help, samples }: ReadMetric): void {
  if (type === '' || help === '') throw new Error(`${name} has no type or no help`);
  const seen = new Set(samples.map((sample) => JSON.stringify([sample.name, sample.labels])));
  if (seen.size !== samples.length) throw new Error(`${name} has a sample twice`);
  if (type === 'counter' && samples.some(({ value: each }) => !(each >= 0))) throw new Error(`${name} is below zero`);
  if (type === 'histogram') checkHistogram(name, samples);
}

/** Buckets rise, end with +Inf, and that is the count. */
function checkHistogram(name: string, samples: ReadMetric['samples']): void {
  const series = new Map<string, ReadMetric['samples']>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    series.set(key, [...series.get(key) ?? [], sample]);
  }
  for (const all of series.values()) {
    const buckets = all.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => (labels['le'] === '+Inf' ? Infinity : Number(labels['le'])));
    const rising = (numbers: number[]) => numbers.every((number, i) => i === 0 || number >= numbers[i - 1]!);
    const count = all.find((sample) => sample.name === `${name}_count`)?.value;
    if (!rising(bounds) || !rising(buckets.map((bucket) => bucket.value)) || bounds.at(-1) !== Infinity || buckets.at(-1)!.value !== count) {
      throw new Error(`${name} is no histogram`);
    }
  }
}

/** Asks for something by HTTP. */
export function fetchText(where: string | { socketPath: string; path: string; method?: string }): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    get(where as string, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text }));
    }).on('error', reject);
  });
}

/** Reads the metrics of a daemon. The first value of a metric whose labels are these, 0 if there is none. */
export async function scrape(daemon: Daemon): Promise<{ all: Map<string, ReadMetric>; value(name: string, labels?: Record<string, string>): number }> {
  const address = daemon.log.find(({ msg }) => msg === 'metrics')!['address'] as string;
  const all = parseMetrics((await fetchText(address)).text);
  return {
    all,
    value: (name, labels = {}) => (all.get(name) ?? all.get(name.replace(/_(sum|count|bucket)$/, '')))?.samples
      .find((sample) => sample.name === name && Object.entries(labels).every(([key, each]) => sample.labels[key] === each))?.value ?? 0,
  };
}

/** The metrics' text, and where it may be read. */
import { describe, expect, it } from 'vitest';
import { Counter, Histogram, reading, renderMetrics } from '../../../server/metrics/exposition.js';
import { parseMetricsAddress } from '../../../server/metrics/listen.js';
import { parseMetrics } from '../../metrics.js';

describe('the text of metrics', () => {
  it('is what a strict reader takes', () => {
    const counter = new Counter('a_total', 'Counts "things"\nand \\ others.');
    counter.add({ name: 'quote " back \\ line \n end' });
    counter.add({ name: 'quote " back \\ line \n end' });
    const histogram = new Histogram('b_seconds', 'Measures.', [0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(histogram.at({ method: 'Open' }), value);
    const text = renderMetrics([counter, histogram, reading('gauge', 'c', 'Is.', 1e21), reading('gauge', 'd', 'None.', []), reading('gauge', 'e', 'Small.', -1.5e-7)]);
    const metrics = parseMetrics(text);
    expect(metrics.get('a_total')?.samples).toEqual([{ name: 'a_total', labels: { name: 'quote " back \\ line \n end' }, value: 2 }]);
    expect(metrics.get('b_seconds')?.samples.map(({ name, labels, value }) => [name, labels['le'], value])).toEqual([
      ['b_seconds_bucket', '0.1', 2], ['b_seconds_bucket', '1', 3], ['b_seconds_bucket', '+Inf', 4], ['b_seconds_sum', undefined, 7.65], ['b_seconds_count', undefined, 4],
    ]);
    expect(metrics.get('c')?.samples[0]?.value).toBe(1e21);
    expect(metrics.get('d')?.samples).toEqual([]);
  });

  it('is not taken by the strict reader if it is wrong', () => {
    for (const wrong of ['a 1', 'a 1\n', '# HELP a b\n# TYPE a counter\nb 1\n', '# HELP a b\n# TYPE a counter\na{x="1",} 1\n', '# HELP a b\n# TYPE a counter\na -1\n',
      '# HELP a b\n# TYPE a counter\na 1\na 1\n', '# HELP a b\n# TYPE a gauge\na{x="\\t"} 1\n', '# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n']) {
      expect(() => parseMetrics(wrong), wrong).toThrow();
    }
  });
});

describe('the address of metrics', () => {
  const parse = (listen: string, openToNetwork = false) => parseMetricsAddress({ listen, openToNetwork });
  it('is a loopback address, or a socket', () => {
    expect(parse('127.0.0.1:9177')).toEqual({ host: '127.0.0.1', port: 9177 });
    expect(parse('[::1]:0')).toEqual({ host: '::1', port: 0 });
    expect(parse('unix:/run/vnet/metrics.sock')).toEqual({ path: '/run/vnet/metrics.sock' });
  });

  it('is another only if that is said twice', () => {
    for (const listen of ['0.0.0.0:9177', '[::]:9177', '192.0.2.1:80', '128.0.0.1:1']) {
      expect(() => parse(listen), listen).toThrow(/open_to_network/);
      expect(parse(listen, true)).toHaveProperty('port');
    }
    for (const listen of ['9177', 'localhost:9177', '127.0.0.1', '127.0.0.1:99999', '::1:80', 'unix:relative', '127.0.0.1.evil.org:80']) expect(() => parse(listen), listen).toThrow(/metrics\.listen/);
  });
});

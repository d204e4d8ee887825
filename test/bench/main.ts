/**
 * Lives here: the benches, one after the other, and their report.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { benchAutostart, benchMost } from './autostart.js';
import { benchCalls } from './calls.js';
import { benchDefinition } from './definition.js';
import { benchForwarding } from './forwarding.js';
import { formatFigures, type Figure } from './measure.js';
import { benchNetworkStart } from './network-start.js';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { peer: { type: 'string' }, json: { type: 'boolean', default: false } } });
if (values.peer !== undefined && values.peer !== 'libvirt') {
  process.stderr.write(`--peer ${values.peer}: the only peer is libvirt\n`);
  process.exit(2);
}
/** Each bench under the name by which it can be chosen. */
const benches: Record<string, () => Promise<Figure[]>> = {
  definition: benchDefinition, calls: () => benchCalls(values.peer), start: () => benchNetworkStart(values.peer), autostart: () => benchAutostart(values.peer), most: benchMost, forwarding,
};
const chosen = positionals.length > 0 ? positionals : Object.keys(benches);
const figures: Figure[] = [];
for (const name of chosen) {
  const bench = benches[name];
  if (bench === undefined) {
    process.stderr.write(`no such bench: ${name}; there are: ${Object.keys(benches).join(', ')}\n`);
    process.exit(2);
  }
  figures.push(...await bench());
}

/** Forwarding, if this machine can measure it. */
async function forwarding(): Promise<Figure[]> {
  if (spawnSync('iperf3', ['--version']).status === 0) return benchForwarding(values.peer);
  process.stderr.write('forwarding is not measured: iperf3 is not installed\n');
  return [];
}

process.stdout.write(values.json ? `${JSON.stringify(figures, undefined, 2)}\n` : formatFigures(figures));
process.exit(figures.some(({ value, limit }) => limit !== undefined && value > limit) ? 1 : 0);

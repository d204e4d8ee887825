/**
 * Lives here: the benches, one after the other, and their report.
 */
import { parseArgs } from 'node:util';
import { benchDefinition } from './definition.js';
import { formatFigures, type Figure } from './measure.js';
import { benchNetworkStart } from './network-start.js';

const { values } = parseArgs({ options: { peer: { type: 'string' }, json: { type: 'boolean', default: false } } });
if (values.peer !== undefined && values.peer !== 'libvirt') {
  process.stderr.write(`--peer ${values.peer}: the only peer is libvirt\n`);
  process.exit(2);
}
const figures: Figure[] = [...await benchDefinition(), ...await benchNetworkStart(values.peer)];
process.stdout.write(values.json ? `${JSON.stringify(figures, undefined, 2)}\n` : formatFigures(figures));
process.exit(figures.some(({ value, limit }) => limit !== undefined && value > limit) ? 1 : 0);

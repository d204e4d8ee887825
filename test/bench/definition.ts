/**
 * Lives here: how long reading and writing a definition takes, for one network
 * and for a hundred times as many elements. Does not know: how figures are
 * printed.
 */
import { formatNetwork, parseNetwork } from '../../shared/definition/index.js';
import type { Figure } from './measure.js';

const typical = `<network>
  <name>default</name>
  <uuid>3a7b1f0e-95d2-4c63-8b1e-0f6a2d9c4b57</uuid>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <mac address='52:54:00:01:02:03'/>
  <domain name='lab.example' localOnly='yes'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
      <host mac='52:54:00:00:00:01' name='one' ip='192.168.122.10'/>
    </dhcp>
  </ip>
</network>`;

/** A network with so many hosts. */
export function networkOf(hosts: number): string {
  const lines = Array.from({ length: hosts }, (_, i) =>
    `      <host mac='52:54:00:${hex(i >> 16)}:${hex(i >> 8)}:${hex(i)}' name='guest-${i}' ip='10.${i >> 16}.${(i >> 8) & 255}.${i & 255}'/>`);
  return `<network>\n  <name>wide</name>\n  <ip address='10.0.0.1' prefix='8'>\n    <dhcp>\n${lines.join('\n')}\n    </dhcp>\n  </ip>\n</network>`;
}

function hex(value: number): string {
  return (value & 255).toString(16).padStart(2, '0');
}

/** The middle of several rounds of a step, in milliseconds a step, warm. */
function millisecondsOf(step: () => unknown, times: number): number {
  const rounds = Array.from({ length: 7 }, () => {
    const started = performance.now();
    for (let i = 0; i < times; i++) step();
    return (performance.now() - started) / times;
  });
  return rounds.sort((a, b) => a - b)[3] ?? 0;
}

/** Reading and writing definitions. */
export async function benchDefinition(): Promise<Figure[]> {
  const { definition } = parseNetwork(typical);
  const [small, large] = [networkOf(50), networkOf(5000)];
  const parseSmall = millisecondsOf(() => parseNetwork(small), 40);
  const parseLarge = millisecondsOf(() => parseNetwork(large), 2);
  return [
    { name: 'definition: parse a typical network', value: millisecondsOf(() => parseNetwork(typical), 500), unit: 'ms', limit: 1 },
    { name: 'definition: format a typical network', value: millisecondsOf(() => formatNetwork(definition), 500), unit: 'ms', limit: 1 },
    { name: 'definition: parse a network of 5,000 hosts', value: parseLarge, unit: 'ms' },
    { name: 'definition: 100 times the hosts take so many times the time', value: parseLarge / parseSmall, unit: 'x', limit: 300 },
  ];
}

/** Changing a part of a definition: what was added and is deleted again leaves no trace; and where two definitions differ. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyUpdate, differences, formatNetwork, parseNetwork, type NetworkDefinition, type UpdateSectionWord } from '../../../shared/definition/index.js';
import { anyDefinition } from './definitions.js';

/** Parts that no arbitrary definition has. */
const fresh: [UpdateSectionWord, (definition: NetworkDefinition) => string | undefined][] = [
  ['portgroup', () => "<portgroup name='Z-fresh'/>"],
  ['dns-txt', ({ dns }) => (dns?.enable === false ? undefined : "<txt name='Z.fresh' value='x'/>")],
  ['dns-srv', ({ dns }) => (dns?.enable === false ? undefined : "<srv service='Z-fresh' protocol='tcp' domain='z' target='z'/>")],
  ['dns-host', ({ dns }) => (dns?.enable === false ? undefined : "<host ip='172.31.255.254'><hostname>zfresh</hostname></host>")],
  ['ip-dhcp-host', ({ ips }) => {
    const ip = ips.find(({ dhcp }) => dhcp !== undefined);
    return ip === undefined ? undefined : ip.family === 'ipv6'
      ? `<host name='zfresh' ip='${ip.address.replace(/1$/, 'fe')}'/>` : `<host mac='02:00:00:00:00:01' ip='${ip.address.replace(/1$/, '254')}'/>`;
  }],
  ['ip', ({ ips }) => (ips.length === 0 ? undefined : "<ip address='172.31.0.1' prefix='24'/>")],
  ['domain', ({ domain }) => (domain === undefined ? "<domain name='z.fresh'/>" : undefined)],
  ['forward-interface', ({ forward }) => (forward !== undefined && ['private', 'vepa', 'passthrough'].includes(forward.mode) && forward.interfaces.length > 0 ? "<interface dev='zfresh'/>" : undefined)],
];

describe('a part that is added and deleted again', () => {
  it.each(fresh)('%s: leaves the definition as it was', (section, partFor) => {
    let tried = 0;
    fc.assert(fc.property(anyDefinition, fc.constantFrom('add-first' as const, 'add-last' as const), (any, command) => {
      const before = parseNetwork(formatNetwork(any), { validate: false }).definition;
      const xml = partFor(before);
      if (xml === undefined) return;
      tried += 1;
      const kept = structuredClone(before);
      const between = applyUpdate(before, { section, command, xml });
      expect(before).toEqual(kept);
      expect(differences(before, between).length).toBeGreaterThan(0);
      expect(() => applyUpdate(between, { section, command, xml })).toThrow();
      const after = applyUpdate(between, { section, command: 'delete', xml });
      expect(formatNetwork(after)).toBe(formatNetwork(before));
      expect(differences(before, after)).toEqual([]);
    }), { numRuns: 400 });
    expect(tried).toBeGreaterThan(5);
  });
});

describe('where two definitions differ', () => {
  const parse = (inner: string) => parseNetwork(`<network><name>n</name><bridge name='b0'/><mac address='52:54:00:00:00:01'/>${inner}</network>`).definition;
  const ip = (inner: string, more = '') => `<ip address='10.0.0.1' prefix='24'><dhcp>${inner}</dhcp></ip>${more}`;
  const range = (first: number, last: number) => `<range start='10.0.0.${first}' end='10.0.0.${last}'/>`;
  const host = (n: number) => `<host mac='52:54:00:00:01:${n + 10}' ip='10.0.0.${n}'/>`;

  it.each([
    ['nothing', ip(range(2, 9)), ip(range(2, 9)), []],
    ['an attribute', ip(range(2, 9)), ip(range(2, 8)), ['ip/dhcp/range/@end']],
    ['one of several', ip(range(2, 9) + range(20, 29)), ip(range(2, 9) + range(20, 28)), ['ip/dhcp/range[2]/@end']],
    ['a part that comes first', ip(host(5) + host(6)), ip(host(4) + host(5) + host(6)), ['ip/dhcp/host[1]']],
    ['a part that is gone', ip(host(4) + host(5) + host(6)), ip(host(4) + host(6)), ['ip/dhcp/host[2]']],
    ['the order alone', ip(host(4) + host(5)), ip(host(5) + host(4)), ['ip/dhcp/host']],
    ['a whole element', '', ip(range(2, 9)), ['ip']],
    ['a text', '<title>a</title>', '<title>b</title>', ['title']],
    ['a foreign element', "<metadata><x xmlns='urn:x'>1</x></metadata>", "<metadata><x xmlns='urn:x'>2</x></metadata>", ['metadata/x']],
    ['several, in the order of the document', ip(range(2, 9)), `<title>t</title><domain name='d'/>${ip(range(3, 9))}`, ['title', 'domain', 'ip/dhcp/range/@start']],
  ])('%s', (_, before, after, paths) => {
    expect(differences(parse(before), parse(after))).toEqual(paths);
  });
});

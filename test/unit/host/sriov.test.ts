/** Virtual functions, on a sysfs that is laid out here: what a machine with such a card shows. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { NetworkPlan } from '../../../server/driver/host.js';
import { openCommands } from '../../../server/host/command.js';
import { requireLan } from '../../../server/host/lan.js';
import { openPorts } from '../../../server/host/port.js';
import { formatPciAddress } from '../../../server/host/sriov.js';
import { silentLog } from '../../../server/log.js';
import { parseNetwork } from '../../../shared/definition/index.js';
import { ErrorCode } from '../../../shared/errors.js';

const sys = mkdtempSync(join(tmpdir(), 'vnet-sysfs-'));
afterAll(() => rmSync(sys, { recursive: true }));

const pci = join(sys, 'devices/pci0000:00');
const make = (...parts: string[]) => mkdirSync(join(...parts), { recursive: true });
make(sys, 'bus/pci/devices');
make(sys, 'class/net');
for (const name of ['0000:01:00.0', '0000:01:10.0', '0000:01:10.2', '0000:01:10.4']) {
  make(pci, name);
  symlinkSync(join(pci, name), join(sys, 'bus/pci/devices', name));
}
// The card, ten functions apart; the second function has a guest, so no interface.
make(pci, '0000:01:00.0/net/ens1f0');
symlinkSync(join(pci, '0000:01:00.0'), join(pci, '0000:01:00.0/net/ens1f0/device'));
symlinkSync(join(pci, '0000:01:00.0/net/ens1f0'), join(sys, 'class/net/ens1f0'));
for (const [number, name] of [['0', '0000:01:10.0'], ['2', '0000:01:10.2'], ['10', '0000:01:10.4']] as const) {
  symlinkSync(`../${name}`, join(pci, `0000:01:00.0/virtfn${number}`));
  symlinkSync('../0000:01:00.0', join(pci, name, 'physfn'));
}
make(pci, '0000:01:10.0/net/ens1f0v0');
make(pci, '0000:01:10.4/net/ens1f0v10');
make(sys, 'class/net/br0');
make(pci, '0000:02:00.0/net/plain0');
symlinkSync(join(pci, '0000:02:00.0'), join(pci, '0000:02:00.0/net/plain0/device'));
symlinkSync(join(pci, '0000:02:00.0/net/plain0'), join(sys, 'class/net/plain0'));

const plan = (forward: string): NetworkPlan => {
  const { definition } = parseNetwork(`<network><name>pool</name>${forward}</network>`);
  return { uuid: '01234567-89ab-4cde-8f01-23456789abcd', name: 'pool', bridge: '', definition };
};
const commands = openCommands();
const ports = openPorts(commands, silentLog, sys);
const hostdev = (function_: number) => plan(`<forward mode='hostdev'><address type='pci' domain='0' bus='1' slot='0x10' function='${function_}'/></forward>`);
const address = (part: number, slot = 0x10) => ({ domain: 0, bus: 1, slot, function: part });

describe('a pool of virtual functions', () => {
  it('is what the physical one has, in its own order', async () => {
    expect(await ports.pool(plan("<forward mode='hostdev'><pf dev='ens1f0'/></forward>"))).toEqual([
      { interface: 'ens1f0v0', address: address(0) }, { address: address(2) }, { interface: 'ens1f0v10', address: address(4) },
    ]);
  });

  it.each([['nosuch', "no interface 'nosuch'"], ['br0', 'no PCI device'], ['plain0', 'no virtual functions']])('is refused of %s', async (device, words) => {
    const network = plan(`<forward mode='passthrough'><pf dev='${device}'/></forward>`);
    await expect(ports.pool(network)).rejects.toMatchObject({ code: ErrorCode.INTERNAL_ERROR, message: expect.stringContaining(words) });
    await expect(requireLan(commands, network, sys)).rejects.toMatchObject({ code: ErrorCode.INTERNAL_ERROR });
  });

  it('starts if each of its addresses is one, and says which is not', async () => {
    await expect(requireLan(commands, hostdev(0), sys)).resolves.toBeUndefined();
    await expect(requireLan(commands, hostdev(6), sys)).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED, message: expect.stringContaining('no PCI device 0000:01:10.6') });
    const card = plan("<forward mode='hostdev'><address type='pci' domain='0' bus='1' slot='0' function='0'/></forward>");
    await expect(requireLan(commands, card, sys)).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED, message: expect.stringContaining('0000:01:00.0 of network \'pool\' is no virtual function') });
  });

  it('gives a port one that is there, and makes nothing', async () => {
    const port = (part: number) => ({
      uuid: '01234567-89ab-4cde-8f01-23456789abce', mac: '52:54:00:01:02:03', owner: 'web', isolated: false, trustGuestRxFilters: false,
      plug: { type: 'hostdev-pci', address: address(part), managed: true },
    } as const);
    await expect(ports.attach(hostdev(0), port(0))).resolves.toBeUndefined();
    await expect(ports.detach(hostdev(0), port(0))).resolves.toBeUndefined();
    await expect(ports.attach(hostdev(0), port(6))).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED });
    await expect(ports.attach(hostdev(0), { ...port(0), attachment: { type: 'existing', device: 'ens1f0v0' } })).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED });
  });

  it('has addresses as the kernel writes them', () => {
    expect(formatPciAddress({ domain: 0x10000, bus: 0xff, slot: 0x1f, function: 7 })).toBe('10000:ff:1f.7');
    expect(formatPciAddress({ domain: 0, bus: 1, slot: 2, function: 3 })).toBe('0000:01:02.3');
  });
});

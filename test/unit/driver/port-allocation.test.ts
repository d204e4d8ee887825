/** What a network decides about ports: no sequence gives a device twice, and the books always agree. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocatePort, connectionsOf, reclaimPort, replugPort, sumOfFloors, withBandwidth, type Books } from '../../../server/driver/port-allocation.js';
import { formatPciAddress, parseNetwork, type NetworkPortDefinition, type PortPlug } from '../../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';

const network = (inner: string) => parseNetwork(`<network><name>n</name>${inner}</network>`).definition;
const books = (inner: string, parts: Partial<Books> = {}): Books => ({ network: network(inner), pool: [], ports: [], makeUuid: () => 'made-up', ...parts });
const port = (more: Partial<NetworkPortDefinition> = {}): NetworkPortDefinition => ({
  uuid: 'u', owner: { name: 'guest', uuid: 'o' }, mac: '52:54:00:00:00:01', ...more,
});
const refusal = (work: () => unknown): [string, string] => {
  try {
    work();
  } catch (error) {
    if (error instanceof NetworkError) return [ErrorCode[error.code]!, error.message];
    throw error;
  }
  return ['nothing', ''];
};
const hostdev = "<forward mode='hostdev' managed='yes'><driver name='vfio'/><address type='pci' bus='3' slot='1'/><address type='pci' bus='3' slot='2' function='7'/></forward>";

describe('a hostdev network', () => {
  it('gives each guest a device of its own, until there is none', () => {
    const one = allocatePort(books(hostdev), port());
    expect(one.plug).toEqual({ type: 'hostdev-pci', managed: true, driver: 'vfio', address: { domain: 0, bus: 3, slot: 1, function: 0 } });
    const two = allocatePort(books(hostdev, { ports: [one] }), port());
    expect(formatPciAddress((two.plug as PortPlug & { type: 'hostdev-pci' }).address)).toBe('0000:03:02.7');
    expect(refusal(() => allocatePort(books(hostdev, { ports: [one, two] }), port())))
      .toEqual(['INTERNAL_ERROR', "internal error: network 'n' requires exclusive access to interfaces, but none are available"]);
    expect(refusal(() => reclaimPort(books(hostdev, { ports: [one] }), { ...port(), plug: one.plug! }))).toEqual(
      ['INTERNAL_ERROR', "internal error: network 'n' claims PCI device 0000:03:01.0 is already in use by a different port"]);
    expect(reclaimPort(books(hostdev, { ports: [two] }), { ...port(), plug: one.plug! }).plug).toEqual(one.plug);
  });

  it('takes its devices from its physical function, if it has one', () => {
    const pool = [{ interface: 'e0v0', address: { domain: 0, bus: 4, slot: 0, function: 1 } }, { address: { domain: 0, bus: 4, slot: 0, function: 2 } }];
    const decided = allocatePort(books("<forward mode='hostdev'><pf dev='e0'/></forward>", { pool }), port());
    expect(decided.plug).toEqual({ type: 'hostdev-pci', managed: false, address: pool[0]!.address });
    // A function without an interface is nothing for macvtap.
    const passthrough = books("<forward mode='passthrough'><pf dev='e0'/></forward>", { pool });
    const first = allocatePort(passthrough, port());
    expect(first.plug).toEqual({ type: 'direct', dev: 'e0v0', mode: 'passthrough' });
    expect(refusal(() => allocatePort({ ...passthrough, ports: [first] }, port()))[1]).toMatch(/none are available/);
  });
});

describe('a virtual port', () => {
  it('is completed with an identifier, or refused if what cannot be made up is missing', () => {
    const macvtap = "<forward mode='vepa' dev='e0'/>";
    expect(allocatePort(books(macvtap), port({ virtualPort: { type: '802.1Qbg', parameters: { managerId: 1, typeId: 2, typeIdVersion: 3 } } })).virtualPort?.parameters)
      .toEqual({ managerId: 1, typeId: 2, typeIdVersion: 3, instanceId: 'made-up' });
    expect(refusal(() => allocatePort(books(macvtap), port({ virtualPort: { type: '802.1Qbg' } }))))
      .toEqual(['XML_ERROR', "XML error: missing managerid in <virtualport type='802.1Qbg'>"]);
  });
});

describe('a kept port', () => {
  const shared = "<forward mode='bridge'><interface dev='e0'/><interface dev='e1'/></forward>";
  it('goes back to the device it had, if that is there, whatever the others use', () => {
    const kept = port({ plug: { type: 'direct', dev: 'e1', mode: 'bridge' } });
    expect(replugPort(books(shared), kept).plug).toEqual(kept.plug);
    expect(replugPort(books(shared.replace('e1', 'e2')), kept).plug).toMatchObject({ dev: 'e0' });
    const alone = shared.replace('bridge', 'passthrough');
    expect(replugPort(books(alone, { ports: [kept] }), kept).plug).toMatchObject({ dev: 'e0', mode: 'passthrough' });
  });

  it('keeps its class if it is free, and what it inherited when it was made', () => {
    const inner = "<bandwidth><inbound average='100'/></bandwidth><ip address='10.1.1.1'/>";
    const kept = port({ bandwidth: { classId: 7, inbound: { floor: 10 } }, trustGuestRxFilters: true });
    const named = (parts: Partial<Books>) => ({ ...books(inner, parts), network: { ...network(inner), bridge: { name: 'b0', stp: true, delay: 0 } } });
    const again = replugPort(named({}), kept);
    expect(again).toMatchObject({ bandwidth: { classId: 7 }, trustGuestRxFilters: true, plug: { type: 'network', bridge: 'b0' } });
    expect(replugPort(named({ ports: [again] }), kept).bandwidth?.classId).toBe(3);
  });
});

/** What can happen to a network's ports. */
type Step = { do: 'create'; floor: number } | { do: 'delete' | 'restart' | 'tune'; which: number; floor: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('create' as const), floor: fc.integer({ min: 0, max: 60 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('delete' as const, 'restart' as const, 'tune' as const), which: fc.nat(20), floor: fc.integer({ min: 0, max: 60 }) }) },
);

/** Runs steps on a network, and says after each what must hold. */
function live(inner: string, steps: Step[], pool: Books['pool'], holds: (ports: NetworkPortDefinition[], refused: boolean) => void): void {
  const definition = { ...network(inner), bridge: inner.includes('<forward') ? undefined as never : { name: 'b0', stp: true, delay: 0 } };
  let ports: NetworkPortDefinition[] = [];
  let made = 0;
  const at = (others: NetworkPortDefinition[]): Books => ({ network: definition, pool, ports: others, makeUuid: () => 'x' });
  for (const one of steps) {
    let refused = false;
    try {
      const floored = (floor: number) => (floor === 0 || inner.includes('<forward') ? undefined : { inbound: { floor } });
      if (one.do === 'create') {
        const bandwidth = floored(one.floor);
        ports = [...ports, allocatePort(at(ports), port({ uuid: `u${made++}`, ...(bandwidth === undefined ? {} : { bandwidth }) }))];
      } else if (ports.length > 0) {
        const target = ports[one.which % ports.length]!;
        const others = ports.filter((other) => other !== target);
        if (one.do === 'delete') ports = others;
        else if (one.do === 'tune') ports = [...others, withBandwidth(at(others), target, floored(one.floor))];
        else ports = ports.reduce<NetworkPortDefinition[]>((again, kept) => [...again, replugPort(at(again), kept)], []);
      }
    } catch (error) {
      expect(error).toBeInstanceOf(NetworkError);
      refused = true;
    }
    holds(ports, refused);
  }
}

describe('any sequence of comings, goings and restarts', () => {
  it('never gives one device to two guests who must be alone on it', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom('passthrough', 'hostdev'), (steps, mode) => {
      const pool = [0, 1, 2].map((slot) => ({ interface: `e0v${slot}`, address: { domain: 0, bus: 1, slot, function: 0 } }));
      live(`<forward mode='${mode}'><pf dev='e0'/></forward>`, steps, pool, (ports, refused) => {
        const plugs = ports.map(({ plug }) => JSON.stringify(plug));
        expect(new Set(plugs).size).toBe(plugs.length);
        expect([...connectionsOf(ports).values()].every((count) => count === 1)).toBe(true);
        expect(refused).toBe(refused && ports.length === pool.length);
      });
    }));
  });

  it('spreads guests who share devices: no device is chosen while another has fewer', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let before: NetworkPortDefinition[] = [];
      live("<forward mode='vepa'><interface dev='e0'/><interface dev='e1'/><interface dev='e2'/></forward>", steps, [], (ports) => {
        const counts = connectionsOf(before);
        if (ports.length === before.length + 1) {
          const chosen = (ports.at(-1)!.plug as { dev: string }).dev;
          expect(Math.min(...['e0', 'e1', 'e2'].map((dev) => counts.get(dev) ?? 0))).toBe(counts.get(chosen) ?? 0);
        }
        expect([...connectionsOf(ports).values()].reduce((sum, count) => sum + count, 0)).toBe(ports.length);
        before = ports;
      });
    }));
  });

  it('promises no more than there is, in classes of their own', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      live("<bandwidth><inbound average='100' peak='150'/></bandwidth>", steps, [], (ports) => {
        const floored = ports.filter(({ bandwidth }) => bandwidth?.inbound?.floor !== undefined);
        const classes = floored.map(({ bandwidth }) => bandwidth!.classId!);
        expect(sumOfFloors(ports)).toBeLessThanOrEqual(150);
        expect(new Set(classes).size).toBe(classes.length);
        expect(classes.every((id) => id >= 3)).toBe(true);
        expect(ports.filter((one) => !floored.includes(one)).every(({ bandwidth }) => bandwidth?.classId === undefined)).toBe(true);
      });
    }));
  });
});

/**
 * Lives here: what must hold of real networks with real guests, proven by
 * packets, whoever starts the networks and however. Does not know: drivers,
 * transports.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../processes.js';
import { addresses, openLab, outsideName, type Guest, type GuestLease, type Lab } from './lab.js';

/** One who starts and stops networks on the lab's host. */
export interface DriverSide {
  /** Starts a network from its definition, which names it, its bridge and its UUID. */
  start(xml: string): Promise<unknown>;
  stop(name: string): Promise<unknown>;
  close(): Promise<unknown>;
}

/** The four networks. STP is off, so that a guest need not wait for it. */
const networks = {
  nat: `<network ipv6='yes'><name>nat</name><uuid>4b6bd1a5-3c5e-4f0e-9f10-000000000001</uuid>
    <forward mode='nat'><nat ipv6='yes'/></forward>
    <bridge name='lab-nat' stp='off' delay='0'/><mac address='52:54:00:11:00:01'/><mtu size='1400'/>
    <domain name='nat.test' localOnly='yes'/>
    <dns><host ip='192.168.150.99'><hostname>printer</hostname></host><txt name='note.nat.test' value='a, "b" #c'/></dns>
    <ip address='192.168.150.1' netmask='255.255.255.0'>
      <dhcp><range start='192.168.150.10' end='192.168.150.20'/><host mac='52:54:00:22:00:01' name='known' ip='192.168.150.50'/></dhcp>
    </ip>
    <ip family='ipv6' address='fd00:150::1' prefix='64'/></network>`,
  second: `<network><name>second</name><uuid>4b6bd1a5-3c5e-4f0e-9f10-000000000002</uuid>
    <forward mode='nat' dev='up1'/>
    <bridge name='lab-second' stp='off' delay='0'/><mac address='52:54:00:11:00:02'/>
    <ip address='192.168.151.1' prefix='24'><dhcp><range start='192.168.151.10' end='192.168.151.20'/></dhcp></ip></network>`,
  isolated: `<network><name>isolated</name><uuid>4b6bd1a5-3c5e-4f0e-9f10-000000000003</uuid>
    <bridge name='lab-isolated' stp='off' delay='0'/><mac address='52:54:00:11:00:03'/>
    <ip address='192.168.152.1' prefix='24'><dhcp><range start='192.168.152.10' end='192.168.152.20'/></dhcp></ip></network>`,
  routed: `<network><name>routed</name><uuid>4b6bd1a5-3c5e-4f0e-9f10-000000000004</uuid>
    <forward mode='route'/>
    <bridge name='lab-routed' stp='off' delay='0'/><mac address='52:54:00:11:00:04'/>
    <ip address='192.168.153.1' prefix='24'><dhcp><range start='192.168.153.10' end='192.168.153.20'/></dhcp></ip>
    <ip family='ipv6' address='fd00:153::1' prefix='64'/></network>`,
};

const refused = { reached: false, why: 'ECONNREFUSED' };

/** Registers the tests of one driver side. */
export function networkScenario(title: string, open: (lab: Lab) => Promise<DriverSide>): void {
  describe(`networks started ${title}`, () => {
    let lab: Lab;
    let side: DriverSide;
    const guests = {} as Record<'a' | 'b' | 'known' | 'second' | 'isolated' | 'isolated2' | 'routed', Guest>;
    const leases = {} as Record<keyof typeof guests, GuestLease>;

    beforeAll(async () => {
      lab = await openLab();
      side = await open(lab);
      for (const xml of Object.values(networks)) await side.start(xml);
      const plugged = [
        ['a', 'lab-nat'], ['b', 'lab-nat'], ['known', 'lab-nat'], ['second', 'lab-second'], ['isolated', 'lab-isolated'], ['isolated2', 'lab-isolated'],
        ['routed', 'lab-routed'],
      ] as const;
      for (const [name, bridge] of plugged) guests[name] = await lab.guest(bridge, name, name === 'known' ? { mac: '52:54:00:22:00:01' } : {});
      await Promise.all(plugged.map(async ([name]) => { leases[name] = await guests[name].lease(); }));
    }, 400_000);

    afterAll(async () => {
      await side?.close();
      await lab?.close();
    });

    it('give guests an address, gateway, DNS, domain and MTU by DHCP', () => {
      for (const { address, ...given } of [leases.a, leases.b]) {
        expect(given).toMatchObject({ prefix: 24, router: '192.168.150.1', dns: ['192.168.150.1'], domain: 'nat.test', mtu: 1400 });
        expect(Number(/^192\.168\.150\.(\d+)$/.exec(address)?.[1])).toSatisfy((last: number) => last >= 10 && last <= 20);
      }
      expect(leases.a.address).not.toBe(leases.b.address);
      expect(leases.known).toMatchObject({ address: '192.168.150.50', hostname: 'known' });
    });

    it('resolve the names of guests and hosts, forward and reverse, and texts as they are written', async () => {
      const ask = (...question: [string, ('A' | 'TXT' | 'PTR')?]) => guests.a.resolve('192.168.150.1', ...question);
      expect(await ask('b')).toEqual([leases.b.address]);
      expect(await ask('b.nat.test')).toEqual([leases.b.address]);
      expect(await ask('printer.nat.test')).toEqual(['192.168.150.99']);
      expect(await ask(leases.b.address, 'PTR')).toEqual(['b.nat.test']);
      expect(await ask('note.nat.test', 'TXT')).toEqual([['a, "b" #c']]);
    });

    it('resolve outside names through the host\'s name server, but not in an isolated network', async () => {
      expect(await guests.a.resolve('192.168.150.1', outsideName)).toEqual([addresses.outside.ipv4]);
      expect(await guests.isolated.resolve('192.168.152.1', outsideName)).toEqual([]);
      expect(await guests.isolated.resolve('192.168.152.1', 'isolated2')).toEqual([leases.isolated2.address]);
    });

    it('with NAT reach the outside as the host, from ports that are not privileged', async () => {
      for (const protocol of ['tcp', 'udp'] as const) {
        expect(await guests.a.reach(addresses.outside.ipv4, { protocol })).toMatchObject({ reached: true, seen: { address: addresses.up0.ipv4 } });
      }
      const { seen } = await guests.a.reach(addresses.outside.ipv4, { localPort: 800 });
      expect(seen?.port).toBeGreaterThanOrEqual(1024);
    });

    it('with NAT cannot be reached from outside', async () => {
      for (const protocol of ['tcp', 'udp'] as const) {
        expect(await lab.outside.reach(leases.a.address, { protocol })).toMatchObject(refused);
        expect(await lab.elsewhere.reach(leases.a.address, { protocol })).toMatchObject(refused);
      }
    });

    it('reach neighbours on the same network with their own address', async () => {
      expect(await guests.a.reach(leases.b.address)).toMatchObject({ reached: true, seen: { address: leases.a.address } });
      expect(await guests.isolated.reach(leases.isolated2.address)).toMatchObject({ reached: true, seen: { address: leases.isolated.address } });
    });

    it('do not reach guests of another network that is not routed', async () => {
      for (const protocol of ['tcp', 'udp'] as const) {
        expect(await guests.a.reach(leases.second.address, { protocol })).toMatchObject(refused);
        expect(await guests.second.reach(leases.a.address, { protocol })).toMatchObject(refused);
        expect(await guests.a.reach(leases.isolated.address, { protocol })).toMatchObject(refused);
        expect(await guests.routed.reach(leases.a.address, { protocol })).toMatchObject(refused);
      }
    });

    it('restricted to one device leave by no other', async () => {
      expect(await guests.second.reach(addresses.elsewhere.ipv4)).toMatchObject({ reached: true, seen: { address: addresses.up1.ipv4 } });
      expect(await guests.second.reach(addresses.outside.ipv4)).toMatchObject(refused);
      expect(await guests.second.reach(leases.routed.address)).toMatchObject(refused);
      expect(await guests.a.reach(addresses.elsewhere.ipv4)).toMatchObject({ reached: true, seen: { address: addresses.up1.ipv4 } });
    });

    it('isolated reach themselves and their host and nothing else', async () => {
      expect(leases.isolated).toMatchObject({ router: '', prefix: 24 });
      expect(await guests.isolated.reach('192.168.152.1')).toMatchObject({ reached: true, seen: { address: leases.isolated.address } });
      // A guest that sets a route itself gets no further.
      await guests.isolated.exec('ip', 'route', 'add', 'default', 'via', '192.168.152.1');
      for (const target of [addresses.outside.ipv4, leases.a.address, leases.routed.address]) {
        for (const protocol of ['tcp', 'udp'] as const) {
          expect(await guests.isolated.reach(target, { protocol, message: 'out of isolation' })).toMatchObject(refused);
        }
      }
      expect(await guests.routed.heard()).not.toContain('out of isolation');
      expect(await lab.outside.reach(leases.isolated.address)).toMatchObject(refused);
    });

    it('routed keep their source address, both ways', async () => {
      expect(await guests.routed.reach(addresses.outside.ipv4)).toMatchObject({ reached: true, seen: { address: leases.routed.address } });
      expect(await lab.outside.reach(leases.routed.address)).toMatchObject({ reached: true, seen: { address: addresses.outside.ipv4 } });
      expect(await guests.a.reach(leases.routed.address)).toMatchObject({ reached: true, seen: { address: '192.168.153.1' } });
    });

    it('let nobody out with an address that is not theirs', async () => {
      await guests.routed.exec('ip', 'addr', 'add', '172.30.0.1/32', 'dev', 'lo');
      await guests.routed.exec('ip', 'route', 'add', `${addresses.elsewhere.ipv4}/32`, 'via', '192.168.153.1', 'src', '172.30.0.1');
      await lab.host.exec('ip', 'route', 'add', '172.30.0.1/32', 'via', leases.routed.address, 'dev', 'lab-routed');
      expect(await guests.routed.reach(addresses.elsewhere.ipv4)).toMatchObject(refused);
    });

    it('are all reached from the host', async () => {
      for (const { address } of Object.values(leases)) expect(await lab.host.reach(address)).toMatchObject({ reached: true });
    });

    it('route and translate IPv6 as they do IPv4', async () => {
      await guests.routed.setAddress('fd00:153::7/64', 'fd00:153::1');
      await guests.a.setAddress('fd00:150::7/64', 'fd00:150::1');
      await until('IPv6 of the routed guest', async () => (await guests.routed.reach('fd00:153::1')).reached);
      expect(await guests.routed.reach(addresses.outside.ipv6)).toMatchObject({ reached: true, seen: { address: 'fd00:153::7' } });
      expect(await lab.outside.reach('fd00:153::7')).toMatchObject({ reached: true });
      expect(await guests.a.reach(addresses.outside.ipv6)).toMatchObject({ reached: true, seen: { address: addresses.up0.ipv6 } });
      expect(await lab.outside.reach('fd00:150::7')).toMatchObject(refused);
    });

    it('advertise themselves to IPv6 guests, which take an address by themselves', async () => {
      const address = await until('an address from an advertisement', async () =>
        /inet6 (fd00:150:[0-9a-f:]+)\/64 scope global dynamic/.exec(await guests.b.exec('ip', '-6', 'addr', 'show', 'dev', 'eth0'))?.[1], 20_000);
      await until('the way out', async () => (await guests.b.reach(addresses.outside.ipv6)).reached, 10_000);
      expect(address).toMatch(/^fd00:150:/);
    });

    it('are gone when they are stopped, each without the others', async () => {
      await side.stop('nat');
      expect(await lab.host.exec('ip', '-o', 'link')).not.toContain('lab-nat');
      expect(await guests.second.reach(addresses.elsewhere.ipv4)).toMatchObject({ reached: true });
      for (const name of ['second', 'isolated', 'routed']) await side.stop(name);
      expect(await lab.host.exec('ip', '-o', 'link', 'show', 'type', 'bridge')).toBe('');
      // What networks share goes a moment after the last one.
      await expect.poll(() => lab.host.exec('nft', 'list', 'tables'), { timeout: 10_000 }).toBe('');
      expect(await lab.host.exec('ss', '-lnup')).not.toContain('dnsmasq');
    });
  });
}

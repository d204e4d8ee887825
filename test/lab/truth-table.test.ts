/**
 * Who may reach whom, decided by packets: every mode of forwarding against
 * every other, the host and the outside; TCP and one-way UDP; IPv4 and IPv6;
 * with each firewall. The table is libvirt's, but for one cell: UDP from an
 * isolated network does not reach a routed one either.
 */
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../../server/driver/host.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { addresses, echoPort, openLab, runProgram, type Guest, type Lab, type Place } from './lab.js';
import { groupPort, openPlace } from './place.js';

type Family = 'ipv4' | 'ipv6';

/**
 * `own`: reached, and seen with its own address. `host`: reached, and seen as
 * the host. `no`: refused with port unreachable, and nothing arrives.
 */
const table = `
from \\ to    same  isolated  nat  natup  route  routeup  open  outside  elsewhere  host
isolated     own   no        no   no     no     no       no    no       no         own
nat          own   no        no   no     host   no       host  host     host       own
natup        own   no        no   no     no     no       no    host     no         own
route        own   no        no   no     own    no       own   own      own        own
routeup      own   no        no   no     no     no       no    own      no         own
open         own   no        no   no     own    no       own   own      own        own
outside      -     no        no   no     own    own      own   -        -          own
elsewhere    -     no        no   no     own    no       own   -        -          own
host         -     own       own  own    own    own      own   own      own        -
`;

/** `natup` and `routeup` have the uplink up0 as their device; elsewhere is behind the other. */
const modes = ['isolated', 'nat', 'route', 'open', 'natup', 'routeup'] as const;
type Mode = typeof modes[number];

/** Each mode twice: those that are left and a neighbour in the first, those that are reached in the second. */
const networks = modes.flatMap((mode, index) => [1, 2].map((which) => ({ name: `${mode}${which}`, mode, number: index * 2 + which })));
type Network = typeof networks[number];

const subnet = { ipv4: (number: number) => `10.77.${number}.`, ipv6: (number: number) => `fd00:77:${number}::` };
const gateway = (family: Family, { number }: Pick<Network, 'number'>) => `${subnet[family](number)}1`;

function forwardOf(mode: Mode): string {
  if (mode === 'isolated') return '';
  const device = mode.endsWith('up') ? " dev='up0'" : '';
  const plain = mode.replace(/up$/, '');
  return plain === 'nat' ? `<forward mode='nat'${device}><nat ipv6='yes'/></forward>` : `<forward mode='${plain}'${device}/>`;
}

function document({ name, number }: Pick<Network, 'name' | 'number'>, forward: string, ips = `
    <ip address='${gateway('ipv4', { number })}' prefix='24'/><ip family='ipv6' address='${gateway('ipv6', { number })}' prefix='64'/>`): string {
  return `<network ipv6='yes'><name>${name}</name><uuid>4b6bd1a5-3c5e-4f0e-9f10-0000000000${String(number).padStart(2, '0')}</uuid>${forward}
    <bridge name='lab-${name}' stp='off' delay='0'/><dns enable='no'/>${ips}</network>`;
}

/** The network of a guest, whose name begins with the network's. */
function networkOf(guest: string): Network {
  return networks.find(({ name }) => guest === name || guest === `${name}same`)!;
}

/** One who sends or is sent to, with its addresses. */
interface End {
  place: Place;
  ipv4: string;
  ipv6: string;
}

/** The table's rows; undefined where there is nothing to try. */
function rows(): Map<string, Map<string, string>> {
  const [header = '', ...lines] = table.trim().split('\n');
  const columns = header.replace('from \\ to', '').trim().split(/\s+/);
  return new Map(lines.map((line) => {
    const [from = '', ...cells] = line.split(/\s+/);
    return [from, new Map(columns.map((column, index): [string, string] => [column, cells[index]!]).filter(([, cell]) => cell !== '-'))];
  }));
}

/** Lets the host say no as often as it has to: a kernel limits how many refusals it sends. */
async function lettingRefuse(): Promise<void> {
  await writeFile('/proc/sys/net/ipv4/icmp_ratelimit', '0');
  await writeFile('/proc/sys/net/ipv6/icmp/ratelimit', '0');
  for (const limit of ['icmp_msgs_per_sec', 'icmp_msgs_burst']) await writeFile(`/proc/sys/net/ipv4/${limit}`, '100000').catch(() => undefined);
}

/** Each firewall, with the program it takes. */
const firewalls = { nftables: 'nft', iptables: 'iptables-restore' } as const;
const installed = (program: string) => spawnSync(program, ['--version']).status === 0;

(['nftables', 'iptables'] as const).forEach((firewall) => describe.skipIf(!installed(firewalls[firewall]))(`with ${firewall}`, () => {
  let lab: Lab;
  let host: Host;
  const up: ReturnType<typeof planFrom>[] = [];
  const guests = new Map<string, Guest & End>();
  let probes = 0;

  const start = async (xml: string) => {
    const plan = planFrom(xml);
    await host.bringUp(plan);
    up.push(plan);
  };

  /** A guest of a network, with both addresses and the host as its way out. */
  const plug = async (name: string, network: { name: string; number: number }, last = 7) => {
    const guest = await lab.guest(`lab-${network.name}`, name);
    const [ipv4, ipv6] = (['ipv4', 'ipv6'] as const).map((family) => `${subnet[family](network.number)}${last}`) as [string, string];
    await guest.setAddress(`${ipv4}/24`, gateway('ipv4', network));
    await guest.setAddress(`${ipv6}/64`, gateway('ipv6', network));
    guests.set(name, { ...guest, place: guest, ipv4, ipv6 });
  };

  beforeAll(async () => {
    lab = await openLab();
    await lettingRefuse();
    host = await openLabHost(lab, { firewall });
    await Promise.all(networks.map((network) => start(document(network, forwardOf(network.mode)))));
    await Promise.all(networks.flatMap((network) => [plug(network.name, network), ...(network.name.endsWith('1') ? [plug(`${network.name}same`, network, 8)] : [])]));
    await Promise.all([...guests].map(async ([name, guest]) => {
      const network = networkOf(name);
      await until(`the way of ${name}`, async () => (await guest.reach(gateway('ipv6', network))).reached && (await guest.reach(gateway('ipv4', network))).reached);
    }));
  }, 120_000);

  afterAll(async () => {
    for (const plan of up) await host?.tearDown(plan, { forget: true });
    await host?.close();
    await lab?.close();
  });

  const beyond = (name: 'outside' | 'elsewhere'): End => ({ place: lab[name], ...addresses[name] });
  const source = (from: string): End => (
    from === 'outside' || from === 'elsewhere' ? beyond(from) : from === 'host' ? { place: lab.host, ...addresses.up0 } : guests.get(`${from}1`)!);

  /** Who is meant, and how the host is seen there. */
  const destination = (from: string, to: string): End & { host: { ipv4: string; ipv6: string } } => {
    if (to === 'outside' || to === 'elsewhere') return { ...beyond(to), host: to === 'outside' ? addresses.up0 : addresses.up1 };
    if (to === 'host') {
      const near = networks.find(({ name }) => name === `${from}1`);
      const own = near === undefined ? addresses[from === 'elsewhere' ? 'up1' : 'up0'] : { ipv4: gateway('ipv4', near), ipv6: gateway('ipv6', near) };
      return { place: lab.host, ...own, host: own };
    }
    const name = to === 'same' ? `${from}1same` : `${to}2`;
    const network = networkOf(name);
    return { ...guests.get(name)!, host: { ipv4: gateway('ipv4', network), ipv6: gateway('ipv6', network) } };
  };

  /** Tries one cell. */
  const cell = async (from: string, to: string, protocol: 'tcp' | 'udp', family: Family): Promise<string> => {
    const sender = source(from);
    const receiver = destination(from, to);
    const message = `probe ${probes += 1}`;
    const { reached, seen, why } = await sender.place.reach(receiver[family], { protocol, message });
    if (!reached) return (await receiver.place.heard()).includes(message) ? 'one way' : why === 'ECONNREFUSED' ? 'no' : `${why}`;
    if (from === 'host' && seen?.address === receiver.host[family]) return 'own';
    if (seen?.address === sender[family]) return 'own';
    return seen?.address === receiver.host[family] ? 'host' : `as ${seen?.address}`;
  };

  it.each([['tcp', 'ipv4'], ['udp', 'ipv4'], ['tcp', 'ipv6'], ['udp', 'ipv6']] as const)('T30: the table holds for %s and %s', async (protocol, family) => {
    const found = await Promise.all([...rows()].map(async ([from, expected]) => {
      const cells = await Promise.all([...expected.keys()].map(async (to) => [to, await cell(from, to, protocol, family)]));
      return [from, Object.fromEntries(cells)];
    }));
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries([...rows()].map(([from, expected]) => [from, Object.fromEntries(expected)])));
  });

  it.each(['ipv4', 'ipv6'] as const)('the table holds for ICMP echo and %s', async (family) => {
    const pinged = async (from: string, to: string) => {
      const said = await source(from).place.exec('ping', '-n', '-c', '1', '-W', '3', destination(from, to)[family]).catch((error: { stdout: string }) => error.stdout);
      return said.includes(' 0% packet loss') ? 'yes' : /[Pp]ort [Uu]nreachable/.test(said) ? 'no' : said;
    };
    for (const [from, expected] of rows()) {
      const cells = await Promise.all([...expected].map(async ([to, cell]) => [to, await pinged(from, to), cell === 'no' ? 'no' : 'yes']));
      expect(cells.filter(([, found, wanted]) => found !== wanted), `from ${from}`).toEqual([]);
    }
  }, 60_000);

  it('T30: every address of the host is the host\'s own affair', async () => {
    for (const mode of modes) {
      const tries = (['ipv4', 'ipv6'] as const).flatMap((family) => networks.map(async (other) => {
        expect(await guests.get(`${mode}1`)!.reach(gateway(family, other)), `${mode} to ${other.name}`).toMatchObject({ reached: true });
      }));
      await Promise.all(tries);
    }
  });

  it('what is sent to everyone reaches the neighbours and nobody else', async () => {
    const everyone = [lab.outside, lab.elsewhere, ...[...guests.values()].map(({ place }) => place)];
    const groups = ['224.0.0.251', '239.1.2.3', 'ff02::fb', 'ff05::2'];
    await Promise.all(everyone.flatMap((place) => groups.map((group) => place.join(group))));
    await Promise.all(modes.map(async (mode) => {
      const sender = guests.get(`${mode}1`)!;
      const targets = ['255.255.255.255', `${subnet.ipv4(networks.find(({ name }) => name === `${mode}1`)!.number)}255`, 'ff02::1%eth0', ...groups.map((group) => group.startsWith('ff') ? `${group}%eth0` : group)];
      for (const target of targets) {
        const message = `to all ${probes += 1}`;
        const port = groups.includes(target.replace('%eth0', '')) ? groupPort : echoPort;
        await sender.shout(target, message, port);
        await until(`${mode} to ${target}`, async () => (await guests.get(`${mode}1same`)!.heard()).includes(message));
        const others = everyone.filter((place) => place.name.match(`^${mode}1(same)?$`) === null);
        const heard = await Promise.all(others.map(async (place) => (await place.heard()).includes(message) ? place.name : ''));
        expect(heard.filter((name) => name !== ''), `${mode} to ${target}`).toEqual([]);
      }
      // A broadcast of another network is nothing that a router passes on.
      const message = `to all there ${probes += 1}`;
      await sender.shout(`${subnet.ipv4(6)}255`, message);
      expect(await sender.reach(gateway('ipv4', { number: 6 }))).toMatchObject({ reached: true });
      expect(await guests.get('route2')!.heard()).not.toContain(message);
    }));
  }, 60_000);

  it('errors of routers and hosts beyond reach a guest: what is too big, goes too far, finds nobody', async () => {
    // A link that is narrower on the router's side alone: whoever is beyond does not know of it, and says in TCP that it takes more.
    await runProgram('ip', ['netns', 'add', 'beyond']);
    await lab.outside.exec('sh', '-c', `echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
      ip link add narrow mtu 1300 type veth peer name eth0 netns beyond; ip link set narrow up
      ip address add 192.0.2.1/24 dev narrow; ip address add 2001:db8:9::1/64 dev narrow nodad`);
    const far = await openPlace('beyond');
    try {
      await far.exec('sh', '-c', `ip link set eth0 up; ip address add 192.0.2.9/24 dev eth0; ip address add 2001:db8:9::9/64 dev eth0 nodad
        ip route add default via 192.0.2.1; ip route add default via 2001:db8:9::1`);
      await until('the way there', async () => (await lab.host.reach('2001:db8:9::9')).reached);
      const sink = far.exec(process.execPath, '-e', drain, '6');
      const tries = ['nat', 'route', 'open'].flatMap((mode) => ['192.0.2.9', '2001:db8:9::9'].map(async (address) => {
        const guest = guests.get(`${mode}1`)!;
        await until('the other side', async () => guest.exec(process.execPath, '-e', pour, address, '400000').then(() => true, () => false));
        expect(await guest.exec('ip', 'route', 'get', address), `${mode} to ${address}`).toContain('mtu 1300');
        const hops = await guest.exec('ping', '-n', '-c', '1', '-W', '3', '-t', '2', address).catch((error: { stdout: string }) => error.stdout);
        expect(hops).toMatch(address.includes(':') ? /From 2001:db8:1::fe .*Time exceeded/ : /From 198\.51\.100\.254 .*Time to live exceeded/);
        expect(await guest.reach(address, { protocol: 'udp', port: 4444 })).toEqual({ reached: false, why: 'ECONNREFUSED' });
      }));
      await Promise.all(tries);
      expect(JSON.parse(await sink)).toEqual(Array.from({ length: 6 }, () => 400_000));
    } finally {
      await far.close();
      await runProgram('ip', ['netns', 'delete', 'beyond']);
    }
  }, 60_000);

  it('a network without addresses lets nothing through, of either family', async () => {
    const bare = { name: 'bare', number: 21 };
    await start(document(bare, '', ''));
    await plug('bare', bare);
    await lab.host.exec('ip', 'address', 'add', '10.77.21.1/24', 'dev', 'lab-bare');
    const guest = guests.get('bare')!;
    expect(await guest.reach('10.77.21.1')).toMatchObject({ reached: true });
    expect(await guest.reach(addresses.outside.ipv4)).toEqual({ reached: false, why: 'ECONNREFUSED' });
    expect(await lab.outside.reach('10.77.21.7')).toEqual({ reached: false, why: 'ECONNREFUSED' });
    await plug('bareneighbour', bare, 8);
    // The host has no part in what its guests say to each other over IPv6, whether the definition speaks of it or not.
    for (const family of ['ipv4', 'ipv6'] as const) expect(await guest.reach(guests.get('bareneighbour')![family])).toMatchObject({ reached: true, seen: { address: guest[family] } });
    expect(await lab.host.exec('ip', '-6', 'address', 'show', 'dev', 'lab-bare')).toBe('');
    // Without an address of its own, vnet takes IPv6 for turned on by mistake, and turns it off again.
    await until('IPv6 of the host', async () => {
      await writeFile('/proc/sys/net/ipv6/conf/lab-bare/disable_ipv6', '0');
      await lab.host.exec('ip', 'address', 'replace', 'fd00:77:21::1/64', 'dev', 'lab-bare', 'nodad');
      return (await guest.reach('fd00:77:21::1')).reached;
    });
    expect(await guest.reach(addresses.outside.ipv6)).toEqual({ reached: false, why: 'ECONNREFUSED' });
    expect(await lab.outside.reach('fd00:77:21::7')).toEqual({ reached: false, why: 'ECONNREFUSED' });
  });

  it('NAT takes addresses and ports of its ranges, through one device, and leaves IPv6 routed', async () => {
    const ranged = { name: 'ranged', number: 22 };
    await start(document(ranged, "<forward mode='nat' dev='up0'><nat><address start='198.51.100.40' end='198.51.100.43'/><port start='3000' end='3999'/></nat></forward>"));
    await plug('ranged', ranged);
    for (const address of ['40', '41', '42', '43']) await lab.host.exec('ip', 'address', 'add', `198.51.100.${address}/32`, 'dev', 'up0');
    const guest = guests.get('ranged')!;
    await until('its way', async () => (await guest.reach(gateway('ipv6', ranged))).reached);
    for (const protocol of ['tcp', 'udp'] as const) {
      const { seen } = await guest.reach(addresses.outside.ipv4, { protocol });
      expect(seen?.address).toMatch(/^198\.51\.100\.4[0-3]$/);
      expect(seen?.port).toSatisfy((port: number) => port >= 3000 && port <= 3999);
      expect(await guest.reach(addresses.elsewhere.ipv4, { protocol })).toEqual({ reached: false, why: 'ECONNREFUSED' });
      expect(await guest.reach(addresses.outside.ipv6, { protocol })).toMatchObject({ seen: { address: guest.ipv6 } });
      expect(await lab.outside.reach(guest.ipv6, { protocol })).toMatchObject({ seen: { address: addresses.outside.ipv6 } });
      expect(await lab.elsewhere.reach(guest.ipv6, { protocol })).toEqual({ reached: false, why: 'ECONNREFUSED' });
    }
    expect(await guest.exec('ping', '-c', '1', '-W', '2', addresses.outside.ipv4)).toContain(' 0% packet loss');
  });

  it.each(['isolated', 'nat', 'route', 'natup', 'routeup'])('T29: nobody leaves %s with an address that is not of its network', async (mode) => {
    const guest = guests.get(`${mode}1`)!;
    const { number } = networkOf(`${mode}1`);
    for (const [family, stranger] of [['ipv4', `172.30.${number}.1`], ['ipv6', `fd00:99:${number}::1`]] as const) {
      const width = family === 'ipv4' ? 32 : 128;
      // An address that the kernel still examines cannot be a source.
      await guest.exec('ip', 'address', 'add', `${stranger}/${width}`, 'dev', 'lo', ...(family === 'ipv6' ? ['nodad'] : []));
      await guest.exec('ip', 'route', 'add', `${addresses.outside[family]}/${width}`, 'via', gateway(family, { number }), 'src', stranger);
      await lab.host.exec('ip', 'route', 'add', `${stranger}/${width}`, 'via', guest[family]);
      const message = `spoofed ${probes += 1}`;
      expect(await guest.reach(addresses.outside[family]), family).toEqual({ reached: false, why: 'ECONNREFUSED' });
      expect(await guest.reach(addresses.outside[family], { protocol: 'udp', message }), family).toEqual({ reached: false, why: 'ECONNREFUSED' });
      expect(await lab.outside.heard()).not.toContain(message);
    }
  });

  it('nothing is left of the rules when the last network goes', async () => {
    await Promise.all(up.splice(0).map((plan) => host.tearDown(plan, { forget: true })));
    const listings = [['nft', 'list', 'ruleset'], ['iptables-save'], ['ip6tables-save']].filter(([program]) => installed(program!));
    const left = await Promise.all(listings.map(([program, ...argv]) => runProgram(program!, argv)));
    expect(left.join('\n')).not.toMatch(/vnet/i);
    expect(await runProgram('nft', ['list', 'tables'])).toBe('');
  }, 60_000);
}));

/** Takes what comes on port 9 over a number of connections, and prints how many bytes each was. */
const drain = `
const counts = [];
const server = require('node:net').createServer((socket) => {
  let count = 0;
  socket.on('data', (data) => { count += data.length; }).on('end', () => {
    socket.end();
    if (counts.push(count) === Number(process.argv[1])) { console.log(JSON.stringify(counts)); server.close(); }
  });
}).listen(9, '::');`;

/** Sends bytes to port 9 of an address, and waits until the other side has them. */
const pour = `
const [address, count] = process.argv.slice(1);
require('node:net').createConnection(9, address).on('error', () => process.exit(1)).on('close', () => process.exit(0)).resume().end(Buffer.alloc(Number(count)));
setTimeout(() => process.exit(2), 20000);`;

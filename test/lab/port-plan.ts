/**
 * Lives here: ports for tests of the host alone: their plans, and guests in
 * namespaces that such a port plugs in. Does not know: the rules above.
 */
import type { Host, NetworkPlan, PortPlan } from '../../server/driver/host.js';
import { openPlace, runProgram, type Place } from './place.js';

/** A port of this number, which is in its UUID and its MAC address. */
export function portPlan(number: number, rest: Pick<PortPlan, 'plug'> & Partial<PortPlan>): PortPlan {
  const digits = number.toString(16).padStart(2, '0');
  return {
    uuid: `4b6bd1a5-3c5e-4f0e-9f14-0000000000${digits}`, mac: `52:54:00:70:00:${digits}`, owner: `guest-${number}`,
    isolated: false, trustGuestRxFilters: false, ...rest,
  };
}

/** A guest that a port plugged in. Its interface is `eth0`. */
export interface PluggedGuest extends Place {
  port: PortPlan;
  setAddress(address: string): Promise<void>;
}

/** Makes a namespace and plugs it in. */
export async function plugGuest(host: Host, network: NetworkPlan, port: PortPlan): Promise<PluggedGuest> {
  const name = port.owner;
  await runProgram('ip', ['netns', 'add', name]);
  const plugged: PortPlan = { ...port, attachment: { type: 'veth', device: `v-${name}`.slice(0, 15), netns: name, guestDevice: 'eth0' } };
  await host.attach(network, plugged);
  await runProgram('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  const place = await openPlace(name);
  return {
    ...place, port: plugged,
    setAddress: async (address) => void await place.exec('ip', 'addr', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : [])),
    close: async () => {
      await place.close();
      await host.detach(network, plugged);
      await runProgram('ip', ['netns', 'delete', name]);
    },
  };
}

/** The interfaces of this namespace as `ip -d -json link` shows them. */
export async function shownLinks(): Promise<ShownLink[]> {
  return JSON.parse(await runProgram('ip', ['-d', '-json', 'link'])) as ShownLink[];
}

/** What tests look at of an interface. */
export interface ShownLink {
  ifname: string;
  ifindex: number;
  mtu: number;
  address: string;
  flags: string[];
  master?: string;
  ifalias?: string;
  operstate: string;
  linkinfo?: { info_kind?: string; info_data?: Record<string, unknown>; info_slave_data?: Record<string, unknown> };
}

/** Everything that ports can leave: links, queues, classes and filters. */
export async function portTraces(): Promise<unknown> {
  const links = (await shownLinks()).map(({ ifname, mtu, master, ifalias }) => ({ ifname, mtu, master, ifalias }));
  const queues = (await runProgram('tc', ['qdisc', 'show'])).split('\n').filter((line) => !/noqueue|pfifo_fast/.test(line));
  const shaped = [...new Set(queues.flatMap((line) => / dev (\S+) /.exec(line)?.[1] ?? []))].sort();
  const classes = await Promise.all(shaped.map((device) => runProgram('tc', ['class', 'show', 'dev', device])));
  const filters = await Promise.all(shaped.map((device) => runProgram('tc', ['filter', 'show', 'dev', device])));
  return {
    links: links.sort((a, b) => a.ifname.localeCompare(b.ifname)), queues: queues.sort(), classes,
    // The kernel keeps an empty table of filters when the last is gone.
    filters: filters.map((shown) => shown.split('\n').filter((line) => /fh 800::|match/.test(line))),
  };
}

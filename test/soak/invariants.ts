/**
 * Lives here: what must hold when nothing is being done: the rules' model, what
 * vnetd tells, its files and the host all say the same, and nothing is left
 * over. Does not know: how it is looked at, what was done before.
 */
import { anchor, describeContents, guestSite, type Site } from './sites.js';
import { describeState, type Known } from './model.js';
import { descendantsOf, type Holdings, type Process } from './processes-of.js';
import type { Seen } from './observe.js';

/** What vnetd tells of a network, or what it should. */
export interface Told {
  active: boolean;
  persistent: boolean;
  /** As in a table: `active persistent autostart`. */
  state: string;
  saved: string;
  live: string;
  ports: readonly string[];
}

/** How much more of everything the daemon may hold than after the first round since it was started. */
const slack = { descriptors: 8, children: 2, residentMiB: 150 };

/** What should be told of a network. */
export function expectedOf(known: Known | undefined): Told | undefined {
  if (known === undefined) return undefined;
  const { saved, live, ports } = known;
  return {
    active: live !== undefined, persistent: saved !== undefined, state: describeState(known),
    saved: describeContents(saved ?? live), live: describeContents(live ?? saved), ports,
  };
}

/** Where a network is not what it should be. @param withDevices each of its ports has a device of vnet's */
export function differencesOf(site: Site, expected: Told | undefined, told: Told | undefined, seen: Seen, withDevices: boolean): string[] {
  const { name, uuid, bridge, subnet, dhcp } = site;
  const { active = false, persistent = false, ports = [], saved, state = '' } = expected ?? {};
  const wrong: string[] = [];
  const compare = (what: string, is: unknown, should: unknown) => {
    const [found, wanted] = [is, should].map((value) => JSON.stringify(value) ?? 'nothing');
    if (found !== wanted) wrong.push(`network ${name}: ${what}: ${found}, should be ${wanted}`);
  };
  compare('what vnetd tells', told, expected);
  compare('its saved definition', seen.saved.get(name), persistent ? saved : undefined);
  compare('its autostart mark', seen.autostart.includes(name), state.endsWith('autostart'));
  compare('its live record', seen.live.includes(uuid), active);
  compare('its firewall rules', seen.guarded.includes(uuid.replaceAll('-', '')), active);
  compare('its dnsmasqs', seen.dnsmasqs.filter((one) => one === name).length, active && dhcp ? 1 : 0);
  compare('its bridge', seen.links.filter((link) => link.uuid === uuid).map((link) => [link.name, link.up, link.addresses]), active ? [[bridge, true, [`${subnet}.1/24`]]] : []);
  compare('records of its ports', seen.ports.filter((port) => port.startsWith(`${uuid}.`)), ports.map((port) => `${uuid}.${port}`));
  const devices = seen.links.filter((link) => ports.includes(link.uuid));
  if (withDevices) compare('devices of its ports', devices.map((link) => link.uuid).sort(), ports);
  for (const { name: device, master } of devices) compare(`what ${device} is plugged into`, master, active ? bridge : '');
  return wrong;
}

/** What is there though no network accounts for it. @param ports the UUIDs of all ports there are */
export function strangers(seen: Seen, sites: readonly Site[], ports: readonly string[]): string[] {
  const [names, uuids] = [new Set(['default', ...sites.map(({ name }) => name)]), new Set(sites.map(({ uuid }) => uuid))];
  const guards = new Set([...uuids].map((uuid) => uuid.replaceAll('-', '')));
  const links = seen.links.filter(({ uuid }) => !uuids.has(uuid) && !ports.includes(uuid)).map(({ name, uuid }) => `device ${name} (${uuid || 'without mark'})`);
  return [
    ...links,
    ...seen.dnsmasqs.filter((name) => !names.has(name)).map((name) => `dnsmasq of ${name}`),
    ...seen.guarded.filter((uuid) => !guards.has(uuid)).map((uuid) => `rules of ${uuid}`),
    ...[...seen.saved.keys(), ...seen.autostart].filter((name) => !names.has(name)).map((name) => `definition or mark of ${name}`),
    ...seen.live.filter((uuid) => !uuids.has(uuid)).map((uuid) => `live record of ${uuid}`),
    ...seen.ports.filter((port) => !uuids.has(port.split('.')[0]!)).map((port) => `record of port ${port}`),
    ...seen.temporary.map((file) => `file ${file}`),
    ...orphans(seen.processes, sites).map(({ pid, command }) => `process ${pid}: ${command}`),
  ].map((what) => `left over: ${what}`);
}

/** Processes that no living program accounts for: neither this one, nor who started it, nor a network's dnsmasq. */
function orphans(all: readonly Process[], sites: readonly Site[]): Process[] {
  const ancestors = new Set<number>();
  for (let pid = process.pid; pid > 0; pid = all.find((one) => one.pid === pid)?.parent ?? 0) ancestors.add(pid);
  const ours = new Set([...ancestors, ...descendantsOf(process.pid, all).map(({ pid }) => pid)]);
  const root = Math.min(...ancestors);
  const isDnsmasq = ({ command }: Process) => sites.some(({ name }) => command.includes(`/${name}.conf`));
  return all.filter((one) => one.parent === root && !ours.has(one.pid) && !one.ended && !isDnsmasq(one));
}

/** Where vnetd holds more than it did after the first round since its start. */
export function growth(first: Holdings, now: Holdings): string[] {
  return (Object.keys(slack) as (keyof Holdings)[]).filter((key) => now[key] > first[key] + slack[key])
    .map((key) => `vnetd's ${key} have grown from ${first[key]} to ${now[key]}`);
}

/** The networks that are up whatever happens. */
export const lasting: readonly Site[] = [anchor, guestSite];

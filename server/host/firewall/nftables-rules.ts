/**
 * Lives here: the text of our nftables rules:
 *
 *     table inet vnet
 *       chain forward       every forwarded packet: first @leave by the
 *                           interface it came in by, then @enter by the one
 *                           it goes out by
 *       chain postrouting   @nat by the interface it came in by
 *       map leave, enter, nat
 *                           bridge to chain: one look-up, whatever the number
 *                           of networks
 *       chain leave_UUID, enter_UUID, nat_UUID
 *                           one network's rules; a permitted packet returns
 *
 * Does not know: nft, what stands already.
 */
import type { NetworkPlan } from '../../driver/host.js';
import { safeAddress, safeInterface, safeNumber, safeSubnet, uuidDigits } from '../safe-text.js';
import { policyOf, type Passage, type Policy, type Translation } from './policy.js';

/** The table, as nft's commands name it. */
export const table = 'inet vnet';

/** The maps, each of which sends a packet to a network's chain. */
export const maps = ['leave', 'enter', 'nat'] as const;

/** A map, and the first half of the names of its chains. */
export type MapName = typeof maps[number];

/** One chain of a network, with its rules. */
interface NetworkChain {
  map: MapName;
  name: string;
  rules: string[];
}

/** ICMP's and ICMPv6's port unreachable: a guest learns at once that it may not. */
const reject = 'reject with icmpx type port-unreachable';

/** The address of every host on the link, and of every group that stays on it. */
const neverTranslated = { ipv4: 'ip daddr { 224.0.0.0/24, 255.255.255.255 }', ipv6: 'ip6 daddr ff02::/16' } as const;

/**
 * The commands that make the table and what all networks share. They hold
 * whether or not it is there; if it is, no network's rules are touched.
 */
export function renderBase(): string {
  return script([
    `add table ${table}`,
    ...maps.map((map) => `add map ${table} ${map} { type ifname : verdict; }`),
    `add chain ${table} forward { type filter hook forward priority filter; policy accept; }`,
    `add chain ${table} postrouting { type nat hook postrouting priority srcnat; policy accept; }`,
    `flush chain ${table} forward`,
    `flush chain ${table} postrouting`,
    `add rule ${table} forward iifname vmap @leave`,
    `add rule ${table} forward oifname vmap @enter`,
    `add rule ${table} postrouting iifname vmap @nat`,
  ]);
}

/** The commands that guard a network. They hold whether or not its rules are there. */
export function renderNetwork(plan: NetworkPlan): string {
  return renderChains(chainsOf(plan), safeInterface(plan.bridge));
}

function renderChains(chains: readonly NetworkChain[], bridge: string): string {
  return script(chains.flatMap(({ map, name, rules }) => [
    `add chain ${table} ${name} { comment "${bridge}"; }`,
    `flush chain ${table} ${name}`,
    ...rules.map((rule) => `add rule ${table} ${name} ${rule}`),
    `add element ${table} ${map} { "${bridge}" : jump ${name} }`,
  ]));
}

/**
 * The commands that lead from one plan's rules to another's of the same
 * network. What is the same in both is not touched; what goes goes whether or
 * not it is there.
 */
export function renderUpdate(before: NetworkPlan, after: NetworkPlan): string {
  const bridge = safeInterface(after.bridge);
  const [old, wanted] = [chainsOf(before), chainsOf(after)];
  const gone = old.filter(({ name }) => !wanted.some((chain) => chain.name === name));
  const changed = wanted.filter(({ name, rules }) => old.find((chain) => chain.name === name)?.rules.join('\n') !== rules.join('\n'));
  return renderChains(changed, bridge)
    + renderChains(gone, bridge) + renderDeletion(gone.map(({ map }) => ({ map, key: bridge })), gone.map(({ name }) => name));
}

/** The commands that take away what a network does not need, but may have needed before it was changed. They hold whether or not it is there. */
export function renderUnneeded(plan: NetworkPlan): string {
  const needed = chainsOf(plan).map(({ map }) => map);
  const bridge = safeInterface(plan.bridge);
  return maps.filter((map) => !needed.includes(map)).map((map) => {
    const name = chainName(map, plan.uuid);
    // What is added first can be deleted.
    return script([`add chain ${table} ${name}`, `add element ${table} ${map} { "${bridge}" : jump ${name} }`])
      + renderDeletion([{ map, key: bridge }], [name]);
  }).join('');
}

/** The commands that take away all of a network's rules. They fail if one is missing. */
export function renderRemoval(plan: NetworkPlan): string {
  const bridge = safeInterface(plan.bridge);
  const chains = chainsOf(plan);
  return renderDeletion(chains.map(({ map }) => ({ map, key: bridge })), chains.map(({ name }) => name));
}

/** The commands that delete elements and chains. */
export function renderDeletion(elements: { map: string; key: string }[], chains: string[]): string {
  return script([
    ...elements.map(({ map, key }) => `delete element ${table} ${map} { "${safeInterface(key)}" }`),
    ...chains.map((name) => `flush chain ${table} ${name}`),
    ...chains.map((name) => `delete chain ${table} ${name}`),
  ]);
}

/** The command that takes away everything. */
export function renderEnd(): string {
  return script([`delete table ${table}`]);
}

/** The name of one of a network's chains. */
export function chainName(map: MapName, uuid: string): string {
  return `${map}_${uuidDigits(uuid)}`;
}

/** A network's chains; none if it is not guarded. */
export function chainsOf(plan: NetworkPlan): NetworkChain[] {
  const policy = policyOf(plan);
  if (policy === undefined) return [];
  const rules = rulesOf(policy, safeInterface(plan.bridge));
  return maps.filter((map) => rules[map].length > 0).map((map) => ({ map, name: chainName(map, plan.uuid), rules: rules[map] }));
}

function rulesOf({ leave, enter, translate }: Policy, bridge: string): Record<MapName, string[]> {
  const families = [...new Set(translate.map(({ family }) => family))];
  return {
    leave: [`oifname "${bridge}" return`, ...leave.map((passage) => passRule(passage, 'saddr', 'oifname')), reject],
    enter: [`iifname "${bridge}" return`, ...enter.map((passage) => passRule(passage, 'daddr', 'iifname')), reject],
    nat: translate.length === 0 ? [] : [
      `oifname "${bridge}" return`,
      ...families.map((family) => `${neverTranslated[family]} return`),
      ...translate.flatMap(translationRules),
    ],
  };
}

function passRule({ family, subnet, device, answersOnly }: Passage, end: 'saddr' | 'daddr', side: 'oifname' | 'iifname'): string {
  return words(through(side, device), `${keyword(family)} ${end} ${safeSubnet(subnet)}`, answersOnly ? 'ct state established,related' : '', 'return');
}

function translationRules({ family, subnet, device, addresses, ports }: Translation): string[] {
  const inside = safeSubnet(subnet);
  const match = words(through('oifname', device), `${keyword(family)} saddr ${inside} ${keyword(family)} daddr != ${inside}`);
  const range = span(safeNumber(ports.start, 0, 65535), safeNumber(ports.end, 0, 65535));
  const source = addresses === undefined ? undefined : span(safeAddress(addresses.start), safeAddress(addresses.end));
  return source === undefined
    ? [`${match} meta l4proto { tcp, udp } masquerade to :${range}`, `${match} masquerade`]
    : [`${match} meta l4proto { tcp, udp } snat ip to ${source}:${range}`, `${match} snat ip to ${source}`];
}

function through(side: 'oifname' | 'iifname', device: string | undefined): string {
  return device === undefined ? '' : `${side} "${safeInterface(device)}"`;
}

function keyword(family: 'ipv4' | 'ipv6'): 'ip' | 'ip6' {
  return family === 'ipv4' ? 'ip' : 'ip6';
}

function span(start: string, end: string): string {
  return start === end ? start : `${start}-${end}`;
}

function words(...parts: string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}

function script(commands: string[]): string {
  return commands.map((command) => `${command}\n`).join('');
}

/**
 * Lives here: the two files of hosts that dnsmasq reads again on SIGHUP: what
 * DHCP gives to whom, and names. Does not know: the configuration.
 */
import { familyOfIp, type DhcpHost } from '../../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { canonicalMac } from '../../../shared/address.js';
import type { NetworkPlan } from '../../driver/host.js';
import { safeAddress } from '../safe-text.js';
import { renderLease } from './conf.js';
import { word } from './conf-line.js';

/** The hosts that DHCP knows, the IPv4 ones first: a line for each. */
export function renderHosts({ definition }: NetworkPlan): string {
  const of = (family: 'ipv4' | 'ipv6') => definition.ips.filter((ip) => familyOfIp(ip) === family).flatMap(({ dhcp }) => dhcp?.hosts ?? []);
  return [...of('ipv4').map(ipv4Host), ...of('ipv6').map(ipv6Host)].map((line) => `${line}\n`).join('');
}

function ipv4Host({ mac, name, ip, lease }: DhcpHost): string {
  return [...(mac === undefined ? [] : [safeMac(mac)]), ...(mac === undefined ? [word(name ?? ''), safeAddress(ip)] : [safeAddress(ip), ...named(name)]),
    ...leased(lease)].join(',');
}

function ipv6Host({ id, name, ip, lease }: DhcpHost): string {
  return [...(id === undefined ? [] : [`id:${safeId(id)}`]), ...named(name), `[${safeAddress(ip)}]`, ...leased(lease)].join(',');
}

function named(name: string | undefined): string[] {
  return name === undefined ? [] : [word(name)];
}

function leased(lease: DhcpHost['lease']): string[] {
  return lease === undefined ? [] : [renderLease(lease)];
}

/** The names of hosts, one line for each address, in the form of /etc/hosts. */
export function renderNames({ definition }: NetworkPlan): string {
  const names = new Map<string, string[]>();
  for (const { ip, hostnames } of definition.dns?.hosts ?? []) {
    const address = safeAddress(ip);
    names.set(address, [...names.get(address) ?? [], ...hostnames.map(word)]);
  }
  return [...names].map(([address, hostnames]) => `${[address, ...hostnames].join('\t')}\n`).join('');
}

function safeMac(mac: string): string {
  if (canonicalMac(mac) === undefined) throw new NetworkError(ErrorCode.INTERNAL_ERROR, `'${mac}' is no MAC address`);
  return mac;
}

function safeId(id: string): string {
  if (!/^[0-9a-fA-F:]+$/.test(id)) throw new NetworkError(ErrorCode.INTERNAL_ERROR, `'${id}' is no client id`);
  return id;
}

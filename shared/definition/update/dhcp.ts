/**
 * Lives here: updates of what is served on an address: hosts and ranges of
 * `<dhcp>`. Does not know: the other sections.
 */
import { canonicalMac } from '../../address.js';
import { ErrorCode, NetworkError } from '../../errors.js';
import { Report } from '../codec/report.js';
import { dhcpHost, dhcpHostKey, dhcpRange, type Dhcp, type DhcpHost } from '../dhcp.js';
import { checkHost, checkRange, familyOfIp, servesDhcp, type Ip } from '../ip.js';
import type { NetworkDefinition } from '../network.js';
import { openPart, readPart } from '../parse.js';
import { added, adds, clash, describePart, refuseCommand, refuseModify, replaced, without, type SectionUpdate, type Update } from './section.js';

const nothing: Dhcp = { ranges: [], hosts: [] };

/** `ip-dhcp-host`. */
export const updateDhcpHost: SectionUpdate = (definition, update) => {
  const opened = openPart(update.xml, 'host');
  const index = parentOf(definition, update);
  const ip = definition.ips[index]!;
  const { hosts } = ip.dhcp ?? nothing;
  const isDelete = update.command === 'delete';
  const host = readPart(opened, isDelete ? dhcpHostKey : dhcpHost);
  if (isDelete) requireKey(host, ip, definition.name);
  else requireIdentity(host as DhcpHost, ip);
  requireFamily(host, ip);
  const changed = changeHosts(definition, index, hosts, host, update);
  return withDhcp(definition, index, { ...ip.dhcp ?? nothing, hosts: changed });
};

function changeHosts(definition: NetworkDefinition, index: number, hosts: DhcpHost[], host: Partial<DhcpHost>, update: Update): DhcpHost[] {
  const { mac, name, ip } = host;
  const text = describePart('host', { mac, name, ip });
  if (update.command === 'delete') {
    const found = hosts.findIndex((other) => (mac === undefined || sameMac(mac, other.mac)) && (name === undefined || name === other.name)
      && (ip === undefined || ip === other.ip));
    if (found < 0) throw clash(`couldn't locate a matching dhcp host entry in network '${definition.name}'`);
    return without(hosts, found);
  }
  const found = hosts.findIndex((other) => sameMac(mac, other.mac) || ip === other.ip || (name !== undefined && name === other.name));
  if (update.command === 'modify') {
    if (found < 0) throw clash(`couldn't locate an existing dhcp host entry with mac, name or ip of ${text} in network '${definition.name}'`);
    return replaced(hosts, found, host as DhcpHost);
  }
  if (!adds(update)) refuseCommand(update);
  refuseSecondDhcp(definition, index);
  if (found >= 0) throw clash(`there is an existing dhcp host entry in network '${definition.name}' that matches "${text}"`);
  return added(hosts, host as DhcpHost, update);
}

/** `ip-dhcp-range`. */
export const updateDhcpRange: SectionUpdate = (definition, update) => {
  const opened = openPart(update.xml, 'range');
  const index = parentOf(definition, update);
  const ip = definition.ips[index]!;
  refuseModify(update, 'dhcp ranges');
  const range = readPart(opened, dhcpRange);
  check((report) => checkRange(range, ip, report));
  const { ranges } = ip.dhcp ?? nothing;
  const found = ranges.findIndex(({ start, end }) => start === range.start && end === range.end);
  const text = describePart('range', { start: range.start, end: range.end });
  const change = () => {
    if (update.command === 'delete') {
      if (found < 0) throw clash(`couldn't locate a matching dhcp range entry ${text} in network '${definition.name}'`);
      return without(ranges, found);
    }
    if (!adds(update)) refuseCommand(update);
    refuseSecondDhcp(definition, index);
    if (found >= 0) throw clash(`there is an existing dhcp range entry in network '${definition.name}' that matches "${text}"`);
    return added(ranges, range, update);
  };
  return withDhcp(definition, index, { ...ip.dhcp ?? nothing, ranges: change() });
};

/** Which `<ip>` is meant. @throws {NetworkError} OPERATION_INVALID if there is none */
function parentOf({ name, ips }: NetworkDefinition, { parentIndex = -1 }: Update): number {
  if (parentIndex >= 0) {
    if (parentIndex < ips.length) return parentIndex;
    throw clash(`couldn't update dhcp entry - no <ip> element found at index ${parentIndex} in network '${name}'`);
  }
  const candidates = [servesDhcp, (ip: Ip) => familyOfIp(ip) === 'ipv4', () => true];
  const found = candidates.map((fits) => ips.findIndex(fits)).find((index) => index >= 0);
  if (found === undefined) throw clash(`couldn't update dhcp entry - no <ip> element found in network '${name}'`);
  return found;
}

function refuseSecondDhcp({ ips }: NetworkDefinition, index: number): void {
  const family = familyOfIp(ips[index]!);
  if (ips.some((other, i) => i !== index && familyOfIp(other) === family && servesDhcp(other))) {
    throw clash(`dhcp is supported only for a single ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address on each network`);
  }
}

function requireKey({ mac, name, ip }: Partial<DhcpHost>, parent: Ip, network: string): void {
  if (mac !== undefined && familyOfIp(parent) === 'ipv6') {
    throw new NetworkError(ErrorCode.XML_ERROR, `a MAC address is for IPv4 alone; hosts of ${parent.address} are known by id or name`);
  }
  if (mac !== undefined || name !== undefined || ip !== undefined) return;
  throw new NetworkError(ErrorCode.XML_ERROR, `at least one of name, mac, or ip attribute must be specified for static host definition in network '${network}'`);
}

function requireIdentity(host: DhcpHost, ip: Ip): void {
  check((report) => checkHost(host, ip, report));
}

function requireFamily({ ip }: Partial<DhcpHost>, parent: Ip): void {
  if (ip === undefined || ip.includes(':') === (familyOfIp(parent) === 'ipv6')) return;
  throw clash("the address family of a host entry IP must match the address family of the dhcp element's parent");
}

function sameMac(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && canonicalMac(a) === canonicalMac(b);
}

function check(rule: (report: Report) => void): void {
  const report = new Report();
  rule(report);
  const error = report.error();
  if (error !== undefined) throw error;
}

function withDhcp(definition: NetworkDefinition, index: number, dhcp: Dhcp): NetworkDefinition {
  return { ...definition, ips: replaced(definition.ips, index, { ...definition.ips[index]!, dhcp }) };
}

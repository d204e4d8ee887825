/**
 * Lives here: dnsmasq's configuration for a network. Does not know: the hosts
 * files, processes.
 *
 * What stands in which case follows libvirt, so that guests see the same
 * network. Other than libvirt's, it reads nothing of the host's configuration
 * (`no-hosts`, `no-resolv`), takes the upstream servers from a file of ours,
 * runs no program on a lease, and opens no inotify instance, of which a host
 * has 128.
 */
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { addressBits, addressToNumber, numberToAddress, prefixToNetmask } from '../../../shared/address.js';
import {
  familyOfIp, isManaged, networkMode, prefixOfIp, servesDhcp, subnetOfIp, type DhcpRange, type DnsForwarder, type Ip, type LeaseTime,
  type NetworkDefinition, type Srv,
} from '../../../shared/definition/index.js';
import type { NetworkPlan } from '../../driver/host.js';
import { safeAddress, safeInterface, safeLine, safeNumber } from '../safe-text.js';
import { option, rawOption, text, word } from './conf-line.js';

/** Where a network's files are. */
export interface DnsmasqFiles {
  conf: string;
  /** What DHCP gives to hosts it knows; read again on SIGHUP. */
  hosts: string;
  /** The names of hosts; read again on SIGHUP. */
  names: string;
  leases: string;
  pid: string;
  /** The upstream servers, the same for all networks; read again on SIGHUP. */
  servers: string;
}

/** The rights dnsmasq runs with. */
export interface DnsmasqAccount {
  user: string;
  /** Empty: it keeps the group it is started with. Absent: its own choice. */
  group?: string;
}

/** Whether a network needs a dnsmasq at all. */
export function needsDnsmasq({ definition }: NetworkPlan): boolean {
  const { ips, dns } = definition;
  if (!isManaged(definition) || ips.length === 0) return false;
  return dns?.enable !== false || ips.some((ip) => servesDhcp(ip) || ip.tftpRoot !== undefined);
}

/**
 * Renders a network's configuration.
 *
 * @throws {NetworkError} INTERNAL_ERROR for a value that would be read as
 * something else, CONFIG_UNSUPPORTED for an option that is not a network's to set
 */
export function renderConf(plan: NetworkPlan, files: DnsmasqFiles, account: DnsmasqAccount): string {
  const { definition } = plan;
  const lines = [
    `# Written by vnetd for network ${safeLine(plan.name)}; it overwrites what is changed here.`,
    'strict-order',
    option('user', word(account.user)),
    ...(account.group === undefined ? [] : [option('group', account.group === '' ? '' : word(account.group))]),
    'no-hosts',
    'no-resolv',
    ...dnsLines(definition, files),
    option('pid-file', text(files.pid)),
    option('dhcp-leasefile', text(files.leases)),
    'except-interface=lo',
    'bind-dynamic',
    option('interface', safeInterface(plan.bridge)),
    ...(networkMode(definition) === 'none' ? ['dhcp-option=3', 'ra-param=*,0,0'] : []),
    ...recordLines(definition),
    ...tftpLines(definition),
    ...dhcpLines(definition, files),
    ...routerLines(definition),
    ...definition.dnsmasqOptions.map(rawOption),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Who answers which names. */
function dnsLines(definition: NetworkDefinition, files: DnsmasqFiles): string[] {
  const { dns, domain, ips } = definition;
  const on = dns?.enable !== false;
  return [
    ...(on ? upstreamLines(definition, files) : ['port=0']),
    ...(domain?.localOnly === true ? [`local=/${word(domain.name)}/`] : []),
    ...(domain === undefined ? [] : [option('domain', word(domain.name)), 'expand-hosts']),
    ...(on ? ips.filter((ip) => ip.localPtr === true).map((ip) => `local=/${reverseZone(ip)}/`) : []),
    ...(on && dns?.forwardPlainNames === false ? ['domain-needed', 'local=//'] : []),
    ...(on ? [option('addn-hosts', text(files.names))] : []),
  ];
}

/** Who is asked what this network does not know: an isolated one asks nobody but whom it names. */
function upstreamLines(definition: NetworkDefinition, files: DnsmasqFiles): string[] {
  const forwarders = definition.dns?.forwarders ?? [];
  const ownUpstream = forwarders.some(({ domain, address }) => domain === undefined && address !== undefined);
  const hosts = !ownUpstream && networkMode(definition) !== 'none';
  return [...forwarders.map(forwarderLine), ...(hosts ? [option('servers-file', text(files.servers))] : [])];
}

function forwarderLine({ domain, address, port }: DnsForwarder): string {
  // `#` stands for the servers that are asked everything else.
  const server = address === undefined ? '#' : safeAddress(address) + (port === undefined ? '' : `#${safeNumber(port, 1, 65535)}`);
  return `server=${domain === undefined ? '' : `/${word(domain)}/`}${server}`;
}

function recordLines({ dns }: NetworkDefinition): string[] {
  if (dns === undefined || dns.enable === false) return [];
  return [
    ...dns.txts.map(({ name, value }) => option('txt-record', word(name), value === undefined || value === '' ? undefined : text(value))),
    ...dns.srvs.map(srvLine),
  ];
}

function srvLine({ service, protocol, domain, target, port, priority, weight }: Srv): string {
  const name = `_${srvName(service)}._${srvName(protocol)}${domain === undefined ? '' : `.${word(domain)}`}`;
  if (target === undefined || target === '.') return option('srv-host', name);
  // A number can only be given with those before it.
  const numbers = [
    port ?? (priority ?? weight) === undefined ? port : 1, priority ?? (weight === undefined ? undefined : 0), weight,
  ].map((value) => (value === undefined ? undefined : safeNumber(value, 0, 65535)));
  return option('srv-host', name, word(target), ...numbers);
}

/** A service or protocol: other than a word, it may have a slash. */
function srvName(name: string): string {
  word(name.replaceAll('/', '-'));
  return name;
}

function tftpLines({ ips }: NetworkDefinition): string[] {
  const roots = ips.flatMap(({ tftpRoot }) => tftpRoot ?? []);
  return [...(roots.length > 0 ? ['enable-tftp'] : []), ...roots.map((root) => option('tftp-root', text(root)))];
}

function dhcpLines({ ips, mtu }: NetworkDefinition, files: DnsmasqFiles): string[] {
  const served = ips.filter(servesDhcp);
  const ranges = served.flatMap(({ dhcp }) => dhcp?.ranges ?? []);
  const byFamily = (family: 'ipv4' | 'ipv6') => served.filter((ip) => familyOfIp(ip) === family);
  return [
    ...byFamily('ipv4').flatMap(rangeLines),
    ...(byFamily('ipv4').length > 0 ? ['dhcp-no-override', 'dhcp-authoritative'] : []),
    ...byFamily('ipv4').flatMap(({ dhcp }) => (dhcp?.bootp === undefined ? []
      : [option('dhcp-boot', text(dhcp.bootp.file), ...(dhcp.bootp.server === undefined ? [] : ['', safeAddress(dhcp.bootp.server)]))])),
    ...byFamily('ipv6').flatMap(rangeLines),
    ...(ranges.length > 0 ? [option('dhcp-lease-max', String(ranges.reduce((sum, range) => sum + sizeOf(range), 0n)))] : []),
    ...(served.length > 0 ? [option('dhcp-hostsfile', text(files.hosts))] : []),
    ...(mtu === undefined || mtu === 0 ? [] : [option('dhcp-option', 'option:mtu', safeNumber(mtu, 1, 0xffffffff))]),
  ];
}

/** The ranges of an address's subnet; without one, only the hosts that are known are served. */
function rangeLines(ip: Ip): string[] {
  const prefix = prefixOfIp(ip);
  const ipv6 = familyOfIp(ip) === 'ipv6';
  const ranges = ip.dhcp?.ranges ?? [];
  if (ranges.length === 0) return [option('dhcp-range', safeAddress(ip.address), 'static', ipv6 ? String(prefix) : undefined)];
  return ranges.map(({ start, end, lease }) => option('dhcp-range', safeAddress(start), safeAddress(end),
    ipv6 ? String(prefix) : prefixToNetmask(prefix), lease === undefined ? undefined : renderLease(lease)));
}

/** A lease time as dnsmasq reads it. */
export function renderLease({ expiry, unit }: LeaseTime): string {
  if (expiry === 0) return 'infinite';
  return `${safeNumber(expiry, 1, 0xffffffff)}${{ seconds: 's', minutes: 'm', hours: 'h' }[unit]}`;
}

function sizeOf({ start, end }: DhcpRange): bigint {
  return addressToNumber(end) - addressToNumber(start) + 1n;
}

/** Router advertisements: with DHCPv6 they point to it, without they are how guests get an address. */
function routerLines({ ips }: NetworkDefinition): string[] {
  const ipv6 = ips.filter((ip) => familyOfIp(ip) === 'ipv6');
  if (ipv6.some(servesDhcp)) return ['enable-ra'];
  return ipv6.map((ip) => option('dhcp-range', safeAddress(ip.address), 'ra-only'));
}

/** The zone of a subnet's reverse names: 122.168.192.in-addr.arpa. */
function reverseZone(ip: Ip): string {
  const { family, network, prefix } = subnetOfIp(ip);
  const step = family === 'ipv4' ? 8 : 4;
  if (prefix === 0 || prefix % step !== 0 || prefix === addressBits(family)) {
    throw new NetworkError(ErrorCode.CONFIG_UNSUPPORTED, `localPtr of ${ip.address}/${prefix}: the subnet is no zone of reverse names`, {
      hint: family === 'ipv4' ? 'give a prefix of 8, 16 or 24' : 'give a prefix from 4 to 124 that is a multiple of 4',
    });
  }
  const digits = family === 'ipv4' ? numberToAddress(network, family).split('.') : [...network.toString(16).padStart(32, '0')];
  return `${digits.slice(0, prefix / step).reverse().join('.')}.${family === 'ipv4' ? 'in-addr' : 'ip6'}.arpa`;
}

/**
 * Lives here: `<ip>`: an address of the bridge and its subnet, with the rules
 * on what is served there. Does not know: dnsmasq, the host.
 */
import { ErrorCode } from '../errors.js';
import {
  addressBits, addressToNumber, lastAddress, netmaskToPrefix, subnetContains, subnetOf, type Family, type Subnet,
} from '../address.js';
import { attribute, childAttribute } from './codec/fields.js';
import { element } from './codec/element.js';
import type { Report } from './codec/report.js';
import { addressFamily, filledLine, ipAddress, maxUint32, wholeNumber, yesOrNo } from './codec/values.js';
import { dhcp, rangeFault, type Dhcp, type DhcpHost, type DhcpRange } from './dhcp.js';
import { describeMode, isManaged } from './modes.js';
import type { NetworkRules } from './rule.js';

/** One address of the bridge, with what is served on its subnet. */
export interface Ip {
  /** As written: absent and ipv4 mean the same but print differently. */
  family?: Family;
  /** Canonical text. */
  address: string;
  /** IPv4; as written, instead of a prefix. */
  netmask?: string;
  /** In bits. */
  prefix?: number;
  localPtr?: boolean;
  tftpRoot?: string;
  dhcp?: Dhcp;
}

/** An address with a way to say how large its subnet is. */
type Sized = Pick<Ip, 'family' | 'address' | 'netmask' | 'prefix'>;

/** The family of an address: that which is written, else IPv4. */
export function familyOfIp({ family }: Pick<Ip, 'family'>): Family {
  return family ?? 'ipv4';
}

/**
 * The prefix length of an address: as given, or the netmask's, or, as libvirt
 * has it, that of the address's old class (8, 16 or 24), and 64 for IPv6. A
 * netmask with gaps counts its leading ones, and an address of no class (D, E)
 * is a subnet of its own; both are refused when a network is defined.
 */
export function prefixOfIp(ip: Sized): number {
  if (ip.netmask !== undefined) return netmaskToPrefix(ip.netmask) ?? leadingOnes(ip.netmask);
  if (ip.prefix !== undefined && ip.prefix !== 0) return ip.prefix;
  return classPrefix(ip) ?? 32;
}

/** The subnet an address is on. */
export function subnetOfIp(ip: Sized): Subnet {
  return subnetOf(ip.address, prefixOfIp(ip));
}

function classPrefix(ip: Sized): number | undefined {
  if (familyOfIp(ip) === 'ipv6') return 64;
  const first = Number(ip.address.split('.', 1)[0]);
  return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : undefined;
}

function leadingOnes(netmask: string): number {
  return addressToNumber(netmask).toString(2).padStart(32, '0').indexOf('0');
}

/** The rules on an address's family and size. Routes have the same with a code of their own. */
export function sizeRule(code: ErrorCode): (part: Sized, report: Report) => void {
  return (part, report) => {
    const family = familyOfIp(part);
    const actual: Family = part.address.includes(':') ? 'ipv6' : 'ipv4';
    if (actual !== family) {
      report.problem(code, part, `found ${part.address}, which is no ${family} address${actual === 'ipv6' ? "; give family='ipv6'" : ''}`, 'address');
      return;
    }
    if (part.netmask !== undefined) {
      if (family === 'ipv6') report.problem(code, part, 'a netmask is for IPv4 alone; give a prefix', 'netmask');
      else if (part.netmask.includes(':')) report.problem(code, part, `found ${part.netmask}, which is no IPv4 netmask`, 'netmask');
      else if ((part.prefix ?? 0) > 0) report.problem(code, part, 'netmask and prefix cannot both be given', 'prefix');
    }
    if ((part.prefix ?? 0) > addressBits(family)) {
      report.problem(code, part, `found ${part.prefix}; allowed: up to ${addressBits(family)} for ${family}`, 'prefix');
    }
  };
}

/** `<ip>`. */
export const ip = element<Ip>('ip', {
  family: attribute('family', addressFamily, { emptyIsAbsent: true }),
  address: attribute('address', ipAddress, { emptyIsAbsent: true, required: ErrorCode.XML_ERROR }),
  netmask: attribute('netmask', ipAddress, { emptyIsAbsent: true }),
  prefix: attribute('prefix', wholeNumber(0, maxUint32), { printIf: (prefix) => prefix > 0 }),
  localPtr: attribute('localPtr', yesOrNo),
  tftpRoot: childAttribute('tftp', 'root', filledLine, { emptyIsAbsent: true }),
  dhcp,
}, {
  readFirst: ['family', 'address', 'netmask', 'prefix', 'localPtr', sizeRule(ErrorCode.CONFIG_UNSUPPORTED)],
  rules: [serviceRule],
  open: true,
  finish: ({ prefix, ...part }) => normal(prefix === undefined || prefix === 0 ? part : { ...part, prefix }),
});

/** What libvirt keeps of an address: no bootp under IPv6. */
function normal(part: Ip): Ip {
  if (familyOfIp(part) === 'ipv6' && part.dhcp?.bootp !== undefined) delete part.dhcp.bootp;
  return part;
}

function serviceRule(part: Ip, report: Report): void {
  if (familyOfIp(part) === 'ipv6' && report.elementsIn(part, 'tftp').length > 0) {
    report.childProblem(ErrorCode.CONFIG_UNSUPPORTED, part, 'tftp', 'TFTP is for IPv4 alone');
  }
  for (const range of part.dhcp?.ranges ?? []) if (report.sound(range)) checkRange(range, part, report);
  for (const host of part.dhcp?.hosts ?? []) if (report.sound(host)) checkHost(host, part, report);
}

/**
 * A range must lie in its address's subnet, the right way round.
 *
 * Reports INTERNAL_ERROR, as libvirt does.
 */
export function checkRange(range: DhcpRange, part: Ip, report: Report): void {
  const refuse = (message: string, attributeName: string) => report.problem(ErrorCode.INTERNAL_ERROR, range, message, attributeName);
  const subnet = subnetOfIp(part);
  const text = `the subnet of ${part.address}/${subnet.prefix}`;
  for (const name of ['start', 'end'] as const) {
    if (!subnetContains(subnet, range[name])) return refuse(`found ${range[name]}, which is not in ${text}`, name);
  }
  const fault = rangeFault(range);
  if (fault !== undefined) return refuse(fault, 'end');
  if (subnet.family === 'ipv6') return;
  if (addressToNumber(range.start) === subnet.network) return refuse(`found ${range.start}, which is the network address of ${text}`, 'start');
  if (addressToNumber(range.end) === lastAddress(subnet)) return refuse(`found ${range.end}, which is the broadcast address of ${text}`, 'end');
}

/** A host must say who it is, in the way of its family. Reports XML_ERROR. */
export function checkHost(host: DhcpHost, part: Pick<Ip, 'family'>, report: Report): void {
  const refuse = (message: string, attributeName?: string) => report.problem(ErrorCode.XML_ERROR, host, message, attributeName);
  if (familyOfIp(part) === 'ipv6') {
    if (host.mac !== undefined) refuse('a MAC address is for IPv4 alone; IPv6 hosts are known by id or name', 'mac');
    else if (host.id === undefined && host.name === undefined) refuse("one of the attributes 'id' and 'name' is needed");
  } else if (host.mac === undefined && host.name === undefined) {
    refuse("one of the attributes 'mac' and 'name' is needed");
  }
}

export const ipRules: NetworkRules = {
  driver: [
    function addressesFitMode(network, report) {
      const [first] = network.ips;
      if (first !== undefined && !isManaged(network)) report.problem(ErrorCode.CONFIG_UNSUPPORTED, first, `not allowed in ${describeMode(network)}`);
    },
    function oneDhcpForEachFamily({ ips }, report) {
      for (const family of ['ipv4', 'ipv6'] as const) {
        const served = ips.filter((part) => report.sound(part) && familyOfIp(part) === family && servesDhcp(part));
        for (const second of served.slice(1)) {
          report.childProblem(ErrorCode.CONFIG_UNSUPPORTED, second, 'dhcp', `only one ${family} address of a network can have DHCP`);
        }
      }
    },
    function sizesCanStart({ ips }, report) {
      for (const part of ips.filter((one) => report.sound(one))) checkSize(part, report);
    },
  ],
};

/** Whether addresses are given out on a subnet. */
export function servesDhcp({ dhcp: served }: Ip): boolean {
  return served !== undefined && served.ranges.length + served.hosts.length > 0;
}

/** libvirt takes these and fails when the network is started; the code is that of the start. */
function checkSize(part: Ip, report: Report): void {
  if (part.netmask !== undefined && netmaskToPrefix(part.netmask) === undefined) {
    report.problem(ErrorCode.INTERNAL_ERROR, part, `found ${part.netmask}, whose ones are not in one piece`, 'netmask');
  } else if (part.netmask === undefined && part.prefix === undefined && classPrefix(part) === undefined) {
    report.problem(ErrorCode.INTERNAL_ERROR, part, `${part.address} is in no class that gives a netmask; give a prefix`, 'address');
  } else if (part.localPtr === true && !isPointerPrefix(part)) {
    report.problem(ErrorCode.CONFIG_UNSUPPORTED, part, familyOfIp(part) === 'ipv6'
      ? 'needs a prefix from 4 to 124 that is a multiple of 4' : 'needs a prefix of 8, 16 or 24', 'localPtr');
  }
}

/** Whether a subnet is one zone of reverse DNS. */
function isPointerPrefix(part: Ip): boolean {
  const prefix = prefixOfIp(part);
  return familyOfIp(part) === 'ipv6' ? prefix % 4 === 0 && prefix >= 4 && prefix <= 124 : prefix % 8 === 0 && prefix >= 8 && prefix <= 24;
}

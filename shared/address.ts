/**
 * Lives here: IP addresses, subnets, MAC addresses and UUIDs as plain text and
 * numbers. Does not know: XML, sockets, the host.
 */
import ipaddr from 'ipaddr.js';

/** The address families. */
export type Family = 'ipv4' | 'ipv6';

/** A subnet: its network address as a number, and its prefix. */
export interface Subnet {
  family: Family;
  /** The lowest address, host bits zero. */
  network: bigint;
  /** The prefix length, in bits. */
  prefix: number;
}

/** The number of bits in an address of the family. */
export function addressBits(family: Family): number {
  return family === 'ipv4' ? 32 : 128;
}

/**
 * Gives the canonical text of a numeric address, or undefined if it is none.
 *
 * IPv4 is read the inet_aton way, as libvirt does: `192.168.050.1` is
 * 192.168.40.1, because a leading zero makes a part octal. IPv6 with a zone
 * (`fe80::1%eth0`) is refused. IPv6 is written as inet_ntop does: as RFC 5952 says, and an IPv4 address in it with dots.
 */
export function canonicalAddress(text: string): { family: Family; address: string } | undefined {
  if (text.includes(':')) {
    const groups = withoutDots(text);
    if (groups.includes('%') || !ipaddr.IPv6.isValid(groups)) return undefined;
    return { family: 'ipv6', address: ipv6Text(ipaddr.IPv6.parse(groups)) };
  }
  if (!ipaddr.IPv4.isValid(text)) return undefined;
  return { family: 'ipv4', address: ipaddr.IPv4.parse(text).toString() };
}

/** An IPv6 address with its last 32 bits in hexadecimal: ipaddr.js takes ::192.0.2.1 for ::ffff:192.0.2.1. */
function withoutDots(text: string): string {
  return text.replace(/(?<=:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/, (whole, ...parts) => {
    const bytes = parts.slice(0, 4).map(Number);
    if (bytes.some((byte) => byte > 255)) return whole;
    const [a = 0, b = 0, c = 0, d = 0] = bytes;
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}

/** RFC 5952's form; an address that maps or embeds an IPv4 one shows it: ::ffff:192.0.2.1, ::192.0.2.1. */
function ipv6Text(address: ipaddr.IPv6): string {
  const { parts } = address;
  const isMapped = parts.slice(0, 5).every((part) => part === 0) && parts[5] === 0xffff;
  const isCompatible = parts.slice(0, 6).every((part) => part === 0) && parts[6] !== 0;
  if (!isMapped && !isCompatible) return address.toRFC5952String();
  return `${isMapped ? '::ffff:' : '::'}${address.toByteArray().slice(12).join('.')}`;
}

/** The number an address stands for. @throws Error if the text is no address. */
export function addressToNumber(text: string): bigint {
  return ipaddr.parse(withoutDots(text)).toByteArray().reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The canonical text of the address with this number. */
export function numberToAddress(value: bigint, family: Family): string {
  const bytes = Array.from({ length: addressBits(family) / 8 }, (_, i) =>
    Number((value >> BigInt(addressBits(family) - 8 * (i + 1))) & 0xffn));
  const address = ipaddr.fromByteArray(bytes);
  return address instanceof ipaddr.IPv6 ? ipv6Text(address) : address.toString();
}

/** The prefix length of a netmask such as 255.255.255.0, or undefined if its ones are not contiguous. */
export function netmaskToPrefix(netmask: string): number | undefined {
  return ipaddr.IPv4.isValid(netmask) ? ipaddr.IPv4.parse(netmask).prefixLengthFromSubnetMask() ?? undefined : undefined;
}

/** The netmask of an IPv4 prefix length: 24 gives 255.255.255.0. */
export function prefixToNetmask(prefix: number): string {
  return ipaddr.IPv4.subnetMaskFromPrefixLength(prefix).toString();
}

/** The subnet an address lies in. @throws Error if the text is no address. */
export function subnetOf(address: string, prefix: number): Subnet {
  const family: Family = address.includes(':') ? 'ipv6' : 'ipv4';
  const shift = BigInt(addressBits(family) - prefix);
  return { family, network: (addressToNumber(address) >> shift) << shift, prefix };
}

/** The highest address of a subnet; for IPv4 the broadcast address. */
export function lastAddress(subnet: Subnet): bigint {
  return subnet.network + (1n << BigInt(addressBits(subnet.family) - subnet.prefix)) - 1n;
}

/** Whether two subnets share an address: one lies in the other. */
export function subnetsOverlap(a: Subnet, b: Subnet): boolean {
  return a.family === b.family && a.network <= lastAddress(b) && b.network <= lastAddress(a);
}

/** Whether an address lies in a subnet. */
export function subnetContains(subnet: Subnet, address: string): boolean {
  if ((address.includes(':') ? 'ipv6' : 'ipv4') !== subnet.family) return false;
  const value = addressToNumber(address);
  return value >= subnet.network && value <= lastAddress(subnet);
}

/** A subnet as people write it: 192.168.122.0/24. */
export function formatSubnet(subnet: Subnet): string {
  return `${numberToAddress(subnet.network, subnet.family)}/${subnet.prefix}`;
}

/**
 * Gives a MAC address in lower case with two digits a group, or undefined if
 * the text is none: six groups of one or two hex digits, with colons.
 */
export function canonicalMac(text: string): string | undefined {
  if (!/^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/.test(text)) return undefined;
  return text.split(':').map((group) => group.toLowerCase().padStart(2, '0')).join(':');
}

/** Whether a canonical MAC address names a group of hosts and not one. */
export function isMulticastMac(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}

/**
 * Gives a UUID as 36 lower-case characters with dashes, or undefined if the
 * text is none. Dashes and blanks may stand anywhere between pairs of digits,
 * as libvirt allows.
 */
export function canonicalUuid(text: string): string | undefined {
  const trimmed = text.trim();
  if (!/^[0-9a-fA-F]{2}([- ]*[0-9a-fA-F]{2}){15}$/.test(trimmed)) return undefined;
  const digits = trimmed.replace(/[- ]/g, '').toLowerCase();
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * Lives here: how one value stands in an attribute or a text: words, numbers,
 * addresses, names. Each is a pair of parse and format with the words for what
 * it allows. Does not know: elements, networks, XML.
 */
import type { ErrorCode } from '../../errors.js';
import { canonicalAddress, canonicalMac, canonicalUuid, isMulticastMac, type Family } from '../../address.js';

/** A value that is not allowed, and, where it is not obvious, why. */
export class Refusal {
  constructor(readonly reason?: string, readonly code?: ErrorCode) {}
}

const refused = new Refusal();

/** A kind of value. */
export interface ValueCodec<T> {
  /** What is allowed, to stand behind "allowed:". */
  allowed: string;
  parse(text: string): T | Refusal;
  format(value: T): string;
}

/** A kind of value that is text on both sides. */
export function textValue(allowed: string, accepts: RegExp | ((text: string) => boolean), maxBytes?: number): ValueCodec<string> {
  const test = accepts instanceof RegExp ? (text: string) => accepts.test(text) : accepts;
  return {
    allowed: maxBytes === undefined ? allowed : `${allowed}, at most ${maxBytes} bytes`,
    parse: (text) => (test(text) && (maxBytes === undefined || Buffer.byteLength(text) <= maxBytes) ? text : refused),
    format: String,
  };
}

/** One of some words. */
export function oneOf<T extends string>(...words: readonly T[]): ValueCodec<T> {
  return {
    allowed: words.map((word) => `'${word}'`).join(', ').replace(/, ([^,]*)$/, ' or $1'),
    parse: (text) => words.find((word) => word === text) ?? refused,
    format: String,
  };
}

/** `yes` or `no`, in lower case alone. */
export const yesOrNo: ValueCodec<boolean> = {
  allowed: "'yes' or 'no'",
  parse: (text) => (text === 'yes' ? true : text === 'no' ? false : refused),
  format: (value) => (value ? 'yes' : 'no'),
};

/** `yes` in any case for true; every other text is false, as libvirt reads some attributes. */
export const yesOrOther: ValueCodec<boolean> = {
  allowed: "'yes' or 'no'",
  parse: (text) => text.toLowerCase() === 'yes',
  format: (value) => (value ? 'yes' : 'no'),
};

/**
 * A whole number, decimal, as C's strtoul reads it: blanks and a plus sign may
 * come first, a minus sign not.
 */
export function wholeNumber(min: number, max: number): ValueCodec<number> {
  return {
    allowed: `a whole number from ${min} to ${max}`,
    parse: (text) => {
      if (!/^[ \t\n\v\f\r]*\+?[0-9]+$/.test(text)) return refused;
      const value = Number(text);
      return value >= min && value <= max ? value : refused;
    },
    format: String,
  };
}

/** As {@link wholeNumber}, but `0x` begins a hexadecimal and `0` an octal number. */
export function codedNumber(max: number, digits?: number): ValueCodec<number> {
  return {
    allowed: `a number from 0 to ${max}, or 0x0 to 0x${max.toString(16)}`,
    parse: (text) => {
      const match = /^[ \t\n\v\f\r]*\+?(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))$/.exec(text);
      if (match === null) return refused;
      const [, hex, octal, decimal] = match;
      const value = hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal || '0', 8) : Number(decimal);
      return value <= max ? value : refused;
    },
    format: (value) => (digits === undefined ? String(value) : `0x${value.toString(16).padStart(digits, '0')}`),
  };
}

/** Numbers up to here fit all of C's unsigned types that libvirt uses. */
export const maxUint32 = 0xffff_ffff;

/** A numeric address of either family, made canonical. */
export const ipAddress: ValueCodec<string> = addressOf('a numeric IPv4 or IPv6 address');
export const ipv4Address: ValueCodec<string> = addressOf('a numeric IPv4 address', 'ipv4');

function addressOf(allowed: string, family?: Family): ValueCodec<string> {
  return {
    allowed,
    parse: (text) => {
      const canonical = canonicalAddress(text);
      return canonical === undefined || (family !== undefined && canonical.family !== family) ? refused : canonical.address;
    },
    format: String,
  };
}

export const addressFamily = oneOf('ipv4', 'ipv6');

/** A MAC address of one host, made canonical. */
export const hostMac: ValueCodec<string> = {
  allowed: 'a unicast MAC address such as 52:54:00:12:34:56',
  parse: (text) => {
    const mac = canonicalMac(text);
    if (mac === undefined) return refused;
    return isMulticastMac(mac) ? new Refusal('a multicast address; a unicast MAC address is needed') : mac;
  },
  format: String,
};

/** A MAC address of one host, kept as typed. */
export const typedMac: ValueCodec<string> = {
  ...hostMac,
  parse: (text) => {
    const mac = hostMac.parse(text);
    return mac instanceof Refusal ? mac : text;
  },
};

export const uuid: ValueCodec<string> = {
  allowed: '32 hexadecimal digits, dashes between',
  parse: (text) => canonicalUuid(text) ?? refused,
  format: String,
};

// The texts below end up in file names, interface names and lines of other programs' files, so none may hold a
// character that could end a line or a field there. libvirt lets most of them pass.

const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Text of one line: anything but control characters and line ends. */
export const line = textValue('one line of text without control characters', (text) => !control.test(text));

/** A line that says something. */
export const filledLine = textValue('one line of text without control characters, not empty', (text) => text !== '' && !control.test(text), 1000);

/**
 * The name of a network interface: the characters of libvirt's schema without
 * those the kernel refuses. The kernel takes more, but not what reads it there:
 * `+` is a wildcard to iptables, a comma ends a field of dnsmasq's.
 */
export const interfaceName = textValue("an interface name of 1 to 15 letters, digits and _ . -", isInterfaceName);

/** Whether a text can be an interface's name. */
export function isInterfaceName(text: string): boolean {
  return /^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,14}$/.test(text) && text !== '.' && text !== '..';
}

/** A host or domain name as DNS software reads it: labels of letters, digits, `-` and `_`, with dots between. */
export const domainName = textValue("a name of letters, digits, '-', '_' and '.', at most 253 bytes", (text) =>
  /^[\p{L}\p{N}\p{M}_.-]+$/u.test(text) && Buffer.byteLength(text) <= 253);

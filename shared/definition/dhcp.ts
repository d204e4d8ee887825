/**
 * Lives here: `<dhcp>` of an address: ranges, fixed hosts, lease times, boot
 * files. Does not know: which subnet it is on; `ip.ts` has the rules that ask.
 */
import { addressToNumber } from '../address.js';
import { ErrorCode } from '../errors.js';
import { attribute, child, children } from './codec/fields.js';
import { element, type Field } from './codec/element.js';
import { ipAddress, filledLine, maxUint32, oneOf, textValue, typedMac, wholeNumber } from './codec/values.js';

export interface Dhcp {
  ranges: DhcpRange[];
  hosts: DhcpHost[];
  bootp?: Bootp;
}

export interface DhcpRange {
  start: string;
  end: string;
  lease?: LeaseTime;
}

export interface DhcpHost {
  /** As typed. */
  mac?: string;
  id?: string;
  name?: string;
  ip: string;
  lease?: LeaseTime;
}

export interface LeaseTime {
  /** 0 means for ever. */
  expiry: number;
  unit: 'seconds' | 'minutes' | 'hours';
}

export interface Bootp {
  file: string;
  server?: string;
}

const secondsIn = { seconds: 1, minutes: 60, hours: 3600 } as const;

/** dnsmasq takes no shorter lease. */
const shortestLeaseSeconds = 120;

const lease: Field<LeaseTime> = child(element<LeaseTime>('lease', {
  expiry: attribute('expiry', wholeNumber(0, maxUint32)),
  unit: attribute('unit', oneOf('seconds', 'minutes', 'hours'), { fallback: 'minutes', printIf: (_, { expiry }) => expiry !== 0 }),
}, {
  rules: [(part, report) => {
    if (part.expiry !== 0 && part.expiry * secondsIn[part.unit] < shortestLeaseSeconds) {
      report.problem(ErrorCode.CONFIG_UNSUPPORTED, part, `found ${part.expiry} ${part.unit}; a lease is 2 minutes or longer, or 0 for ever`, 'expiry');
    }
  }],
  finish: (part) => ((part.expiry as number | undefined) === undefined ? undefined : part.expiry === 0 ? { expiry: 0, unit: 'minutes' } : part),
}));

/** `<range>`. */
export const dhcpRange = element<DhcpRange>('range', {
  start: attribute('start', ipAddress, { required: ErrorCode.XML_ERROR, invalid: ErrorCode.SYSTEM_ERROR }),
  end: attribute('end', ipAddress, { required: ErrorCode.XML_ERROR, invalid: ErrorCode.SYSTEM_ERROR }),
  lease,
});

/** libvirt lets the two ends of a range differ in so many of their last bits. */
const rangeBits = 16n;

/** What is wrong with a range of addresses of one family, whatever it is for. */
export function rangeFault({ start, end }: { start: string; end: string }): string | undefined {
  const [first, last] = [addressToNumber(start), addressToNumber(end)];
  if (last < first) return `found ${end}, which comes before the start ${start}`;
  if (first >> rangeBits !== last >> rangeBits) return `found ${end}, which differs from the start ${start} in more than its last ${rangeBits} bits`;
  return undefined;
}

/** A name that dnsmasq cannot take for something else: libvirt checks its first character alone. */
const hostName = textValue("a name that begins with a letter or digit, of letters, digits, '-', '_' and '.'",
  /^[A-Za-z0-9][\p{L}\p{N}\p{M}_.-]*$/u, 253);

const hostFields = {
  mac: attribute('mac', typedMac),
  id: attribute('id', textValue("hexadecimal digits and ':'", /^[0-9a-fA-F:]*$/)),
  name: attribute('name', hostName),
};

/** `<host>` of `<dhcp>`, without the rules on who it is: an update may give less. */
export const dhcpHost = element<DhcpHost>('host', {
  ...hostFields,
  ip: attribute('ip', ipAddress, { required: ErrorCode.XML_ERROR }),
  lease,
}, { readFirst: ['mac', 'id', 'name', 'ip'] });

/** What one host of `<dhcp>` is found by: as much of it as an update gives. */
export const dhcpHostKey = element<Partial<DhcpHost>>('host', { ...hostFields, ip: attribute('ip', ipAddress), lease }, { readFirst: ['mac', 'id', 'name', 'ip'] });

/** `<dhcp>`. */
export const dhcp: Field<Dhcp> = child(element<Dhcp>('dhcp', {
  ranges: children(dhcpRange),
  hosts: children(dhcpHost),
  bootp: child(element<Bootp>('bootp', {
    file: attribute('file', filledLine, { required: ErrorCode.XML_ERROR }),
    server: attribute('server', ipAddress, { invalid: ErrorCode.SYSTEM_ERROR }),
  })),
}, {
  // libvirt loses a boot file that stands alone.
  finish: (part) => (part.ranges.length + part.hosts.length === 0 ? undefined : part),
}));

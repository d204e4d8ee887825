/**
 * Lives here: `<forward>`: how guests reach the world, and through which
 * devices. Does not know: the other elements, but for the rule that NAT and
 * routing need an address.
 */
import { ErrorCode } from '../errors.js';
import { attribute, child, children, childAttribute, childValues, mapped } from './codec/fields.js';
import { element } from './codec/element.js';
import type { Report } from './codec/report.js';
import { codedNumber, interfaceName, ipv4Address, line, maxUint32, oneOf, wholeNumber, yesOrNo, yesOrOther } from './codec/values.js';
import { rangeFault } from './dhcp.js';
import { describeMode } from './modes.js';
import type { NetworkDefinition } from './network.js';
import type { NetworkRules } from './rule.js';

/** How guests reach the world beyond the bridge. */
export type ForwardMode = 'nat' | 'route' | 'open' | 'bridge' | 'private' | 'vepa' | 'passthrough' | 'hostdev';

export interface Forward {
  mode: ForwardMode;
  /** Always the same as the first of `interfaces`, unless `pf` is set. */
  dev?: string;
  /** hostdev only, and always there: the daemon binds and unbinds the devices. */
  managed?: boolean;
  driver?: { name?: 'kvm' | 'vfio' | 'xen'; model?: string };
  nat?: Nat;
  /** A physical function whose virtual functions are the pool. */
  pf?: string;
  /** Devices by name; an element may have both this and `dev`. */
  interfaces: string[];
  /** hostdev only: devices by PCI address. */
  addresses: PciAddress[];
}

export interface Nat {
  ipv6?: boolean;
  address?: { start: string; end: string };
  port?: { start: number; end: number };
}

export interface PciAddress {
  domain: number;
  bus: number;
  slot: number;
  function: number;
}

/** A PCI address as people and sysfs write it: 0000:03:10.1. */
export function formatPciAddress({ domain, bus, slot, function: part }: PciAddress): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${part}`;
}

type AddressRange = NonNullable<Nat['address']>;
type PortRange = NonNullable<Nat['port']>;

const natAddress = element<AddressRange>('address', {
  start: attribute('start', ipv4Address, { required: ErrorCode.XML_ERROR }),
  end: attribute('end', ipv4Address, { required: ErrorCode.XML_ERROR }),
}, {
  rules: [(range, report) => {
    const fault = rangeFault(range);
    if (fault !== undefined) report.problem(ErrorCode.INTERNAL_ERROR, range, fault, 'end');
  }],
});

const portNumber = wholeNumber(0, 65535);

const natPort = element<PortRange>('port', {
  start: attribute('start', portNumber, { required: ErrorCode.XML_DETAIL, invalid: ErrorCode.XML_DETAIL }),
  end: attribute('end', portNumber, { required: ErrorCode.XML_DETAIL, invalid: ErrorCode.XML_DETAIL }),
}, {
  rules: [(range, report) => {
    if (range.end < range.start) report.problem(ErrorCode.XML_DETAIL, range, `the range ends at ${range.end}, before its start ${range.start}`);
  }],
});

export const nat = element<Nat>('nat', {
  ipv6: attribute('ipv6', yesOrNo),
  address: child(natAddress),
  port: mapped(child(natPort), (range) => (range.end === 0 ? undefined : range), (range) => range),
}, {
  rules: [(part, report) => {
    for (const name of ['address', 'port']) onlyOne(part, name, report);
  }],
  finish: filled,
});

export const pciAddress = element<PciAddress & { type?: 'pci' }>('address', {
  type: attribute('type', oneOf('pci'), { required: ErrorCode.XML_ERROR, invalid: ErrorCode.CONFIG_UNSUPPORTED }),
  domain: attribute('domain', codedNumber(maxUint32, 4), { fallback: 0 }),
  bus: attribute('bus', codedNumber(0xff, 2), { fallback: 0 }),
  slot: attribute('slot', codedNumber(0x1f, 2), { fallback: 0 }),
  function: attribute('function', codedNumber(7, 1), { fallback: 0 }),
}, {
  finish: ({ type: _, ...address }) => address,
  prepare: (address) => ({ type: 'pci', ...address }),
});

/** `<interface dev='eth0'/>`: one device of the pool. How many guests use it is the driver's to count. */
export const forwardInterface = element<{ value: string }>('interface', {
  value: attribute('dev', interfaceName, { required: ErrorCode.XML_ERROR }),
}, { ignored: { attributes: ['connections'] } });

const forwardModes = ['nat', 'route', 'open', 'bridge', 'private', 'vepa', 'passthrough', 'hostdev'] as const;

type AnyForward = Omit<Forward, 'mode'> & { mode: ForwardMode | 'none' };

const anyForward = element<AnyForward>('forward', {
  dev: attribute('dev', interfaceName, { emptyIsAbsent: true }),
  mode: attribute('mode', oneOf('none', ...forwardModes), { emptyIsAbsent: true, fallback: 'nat', invalid: ErrorCode.CONFIG_UNSUPPORTED }),
  managed: attribute('managed', yesOrOther, { emptyIsAbsent: true }),
  driver: child(element<NonNullable<Forward['driver']>>('driver', {
    name: attribute('name', oneOf('kvm', 'vfio', 'xen'), { emptyIsAbsent: true }),
    model: attribute('model', line, { emptyIsAbsent: true }),
  }, { finish: filled })),
  nat: child(nat),
  pf: childAttribute('pf', 'dev', interfaceName, { required: ErrorCode.XML_ERROR }),
  interfaces: childValues(forwardInterface),
  addresses: children(pciAddress),
}, {
  readFirst: ['mode', 'dev', 'managed', 'nat', 'driver'],
  rules: [natRule, deviceRule],
  finish: withoutWhatDoesNotCount,
  prepare: (forward) => withManaged(forward.pf === undefined && forward.interfaces[0] !== undefined ? { ...forward, dev: forward.interfaces[0] } : forward),
});

/** `<forward>`; undefined for mode `none`, which libvirt takes for no element at all. */
export const forward = mapped<AnyForward, Forward, NetworkDefinition>(child(anyForward),
  (part) => (part.mode === 'none' ? undefined : part as Forward), (part) => part);

/** `managed` is there in hostdev alone, and there always. */
function withManaged(part: AnyForward): AnyForward {
  const { managed = false, ...rest } = part;
  return part.mode === 'hostdev' ? { ...rest, managed } : rest;
}

/** An element that says nothing is none. */
function filled<T extends object>(part: T): T | undefined {
  return Object.keys(part).length === 0 ? undefined : part;
}

function onlyOne(part: object, name: string, report: Report): void {
  const second = report.elementsIn(part, name)[1];
  if (second !== undefined) report.problemAt(ErrorCode.XML_ERROR, second, 'only one element of this name is allowed');
}

function natRule(part: AnyForward, report: Report): void {
  const [first, second] = report.elementsIn(part, 'nat');
  if (second !== undefined) report.problemAt(ErrorCode.XML_ERROR, second, 'only one <nat> is allowed in <forward>');
  if (first !== undefined && part.mode !== 'nat') {
    report.problemAt(ErrorCode.XML_ERROR, first, `<nat> is allowed in forward mode 'nat' alone, not in '${part.mode}'`);
  }
}

function deviceRule(part: AnyForward, report: Report): void {
  onlyOne(part, 'pf', report);
  const { dev, interfaces, addresses, pf } = part;
  if (dev !== undefined && (addresses.length > 0 || pf !== undefined)) {
    report.problem(ErrorCode.XML_ERROR, part, '<forward dev> cannot be combined with <address> or <pf>; leave one out', 'dev');
  }
  if (dev !== undefined && interfaces[0] !== undefined && dev !== interfaces[0]) {
    report.problem(ErrorCode.XML_ERROR, part, `<forward dev='${dev}'> must be the same as its first <interface dev='${interfaces[0]}'>`, 'dev');
  }
  duplicates(interfaces, part, 'interface', report);
  duplicates(addresses.map((address) => JSON.stringify(address)), part, 'address', report);
}

function duplicates(keys: string[], part: object, name: string, report: Report): void {
  const elements = report.elementsIn(part, name);
  const seen = new Set<string>();
  keys.forEach((key, i) => {
    const where = elements[i];
    if (seen.has(key) && where !== undefined) report.problemAt(ErrorCode.XML_ERROR, where, 'the same device is in the list already');
    seen.add(key);
  });
}

/** libvirt looks at interfaces first, then at addresses, then at the physical function, and keeps one kind. */
function withoutWhatDoesNotCount(part: AnyForward): AnyForward {
  const { pf, dev, ...rest } = withManaged(part);
  const interfaces = part.interfaces.length === 0 && dev !== undefined ? [dev] : part.interfaces;
  if (interfaces.length > 0) return { ...rest, dev: interfaces[0] as string, interfaces, addresses: [] };
  return pf === undefined || part.addresses.length > 0 ? rest : { ...rest, pf };
}

export const forwardRules: NetworkRules = {
  parser: [
    function devicesFitMode(network, report) {
      const part = network.forward;
      if (part === undefined) return;
      if ((part.mode === 'nat' || part.mode === 'route') && network.ips.length === 0) {
        report.problem(ErrorCode.XML_ERROR, part, `${describeMode(network)} needs at least one <ip>`);
      }
      const devices = part.interfaces.length + part.addresses.length;
      if ((part.mode === 'nat' || part.mode === 'route') && devices > 1) {
        report.problem(ErrorCode.XML_ERROR, part, `${describeMode(network)} takes one device, not ${devices}`);
      }
      if (part.mode === 'open' && devices > 0) {
        report.problem(ErrorCode.XML_ERROR, part, "a device is not allowed in forward mode 'open'", 'dev');
      }
    },
  ],
  driver: [
    function poolFitsMode(network, report) {
      const part = network.forward;
      if (part === undefined) return;
      if (part.mode === 'hostdev' && part.interfaces.length > 0) {
        report.problem(ErrorCode.CONFIG_UNSUPPORTED, part, "forward mode 'hostdev' takes <address> or <pf>, not devices by name");
      }
      if (part.mode !== 'hostdev' && part.addresses.length > 0) {
        report.childProblem(ErrorCode.CONFIG_UNSUPPORTED, part, 'address', "devices by PCI address are for forward mode 'hostdev' alone");
      }
    },
  ],
};

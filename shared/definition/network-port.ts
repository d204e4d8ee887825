/**
 * Lives here: `<networkport>`: a guest's place on a network, its reading and
 * printing. As a request it says what the guest asks for; as an answer, what
 * the network decided. Does not know: networks.
 */
import { ErrorCode } from '../errors.js';
import { bandwidthElement, type Bandwidth } from './bandwidth.js';
import { port } from './bridge.js';
import { element, type Field } from './codec/element.js';
import { attribute, child, childAttribute, childText, mapped } from './codec/fields.js';
import { Report } from './codec/report.js';
import { codedNumber, filledLine, hostMac, interfaceName, line, maxUint32, oneOf, uuid, yesOrNo } from './codec/values.js';
import type { PciAddress } from './forward.js';
import { virtualPort, type VirtualPort } from './virtual-port.js';
import { vlan, type Vlan } from './vlan.js';
import { readXml } from './xml/read.js';
import { writeXml } from './xml/write.js';

/** What a guest is plugged into, as the document of its port says. */
export type PortPlug =
  /** `network`: the network's own bridge; `bridge`: one that somebody else made. */
  | { type: 'network' | 'bridge'; bridge: string; macTableManager?: 'kernel' | 'libvirt' }
  | { type: 'direct'; dev: string; mode: MacvtapMode }
  | { type: 'hostdev-pci'; managed?: boolean; driver?: 'kvm' | 'vfio' | 'xen'; address: PciAddress };

/** How macvtap carries a guest's frames. */
export type MacvtapMode = 'vepa' | 'private' | 'bridge' | 'passthrough';

/** A port as its document says. */
export interface NetworkPortDefinition {
  /** 36 lower-case characters; absent in a request that leaves it to vnet. */
  uuid?: string;
  /** The guest. */
  owner: { name: string; uuid: string };
  /** The port group asked for. */
  group?: string;
  /** The guest's; six groups of two lower-case hex digits. */
  mac: string;
  virtualPort?: VirtualPort;
  /** With the class id, if it has a floor. */
  bandwidth?: Bandwidth;
  vlan?: Vlan;
  port?: { isolated?: boolean };
  trustGuestRxFilters?: boolean;
  /** Absent in a request. */
  plug?: PortPlug;
}

/** Every plug in one: which of the fields count is for the type to say. */
interface AnyPlug {
  type?: PortPlug['type'] | 'none';
  bridge?: string;
  macTableManager?: 'kernel' | 'libvirt';
  dev?: string;
  mode?: MacvtapMode;
  managed?: boolean;
  driver?: 'kvm' | 'vfio' | 'xen';
  address?: PciAddress;
}

/** The field that each type of plug cannot be without. */
const needed = { network: 'bridge', bridge: 'bridge', direct: 'dev', 'hostdev-pci': 'address' } as const;

const address = element<PciAddress>('address', {
  domain: attribute('domain', codedNumber(maxUint32, 4), { fallback: 0 }),
  bus: attribute('bus', codedNumber(0xff, 2), { fallback: 0 }),
  slot: attribute('slot', codedNumber(0x1f, 2), { fallback: 0 }),
  function: attribute('function', codedNumber(7, 1), { fallback: 0 }),
}, { ignored: { attributes: ['type'] } });

const anyPlug = element<AnyPlug>('plug', {
  type: attribute('type', oneOf('none', 'network', 'bridge', 'direct', 'hostdev-pci')),
  bridge: attribute('bridge', interfaceName, { emptyIsAbsent: true }),
  macTableManager: attribute('macTableManager', oneOf('kernel', 'libvirt'), { emptyIsAbsent: true }),
  dev: attribute('dev', interfaceName, { emptyIsAbsent: true }),
  mode: attribute('mode', oneOf('vepa', 'private', 'bridge', 'passthrough'), { emptyIsAbsent: true }),
  managed: attribute('managed', yesOrNo),
  driver: childAttribute('driver', 'name', oneOf('kvm', 'vfio', 'xen')),
  address: child(address),
}, {
  rules: [(part, report) => {
    if (part.type === undefined || part.type === 'none') return;
    const name = needed[part.type];
    if (part[name] === undefined) report.problem(ErrorCode.XML_ERROR, part, `a plug of type '${part.type}' needs ${name === 'address' ? '<address>' : `'${name}'`}`);
  }],
});

/** `<plug>`; undefined if its type is `none`, or it has none. */
const plug = mapped<AnyPlug, PortPlug>(child(anyPlug), (part) => {
  switch (part.type) {
    case 'network': case 'bridge': return kept<PortPlug>({ type: part.type, bridge: part.bridge!, macTableManager: part.macTableManager });
    case 'direct': return { type: 'direct', dev: part.dev!, mode: part.mode ?? 'vepa' };
    case 'hostdev-pci': return kept<PortPlug>({ type: 'hostdev-pci', managed: part.managed, driver: part.driver, address: part.address! });
    default: return undefined;
  }
}, (part) => part);

/** A record without the members that are undefined. */
function kept<T>(record: { [K in keyof T]: unknown } & object): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}

/** `<bandwidth>`; a class id alone limits nothing. */
const bandwidth: Field<Bandwidth> = mapped<Bandwidth, Bandwidth>(child(bandwidthElement),
  (part) => (part.inbound === undefined && part.outbound === undefined ? undefined : part), (part) => part);

const owner = element<NetworkPortDefinition['owner']>('owner', {
  name: childText('name', filledLine, { emptyIsAbsent: true, required: ErrorCode.INTERNAL_ERROR, invalid: ErrorCode.INTERNAL_ERROR }),
  uuid: childText('uuid', uuid, { emptyIsAbsent: true, required: ErrorCode.INTERNAL_ERROR, invalid: ErrorCode.INTERNAL_ERROR }),
});

/** The root element. Fields stand in libvirt's order of printing, which is also its order of reading. */
const networkPort = element<NetworkPortDefinition>('networkport', {
  uuid: childText('uuid', uuid, { emptyIsAbsent: true, invalid: ErrorCode.INTERNAL_ERROR }),
  owner: child(owner, { required: ErrorCode.INTERNAL_ERROR }),
  group: childText('group', line, { emptyIsAbsent: true }),
  mac: childAttribute('mac', 'address', hostMac, { required: ErrorCode.INTERNAL_ERROR, invalid: ErrorCode.INTERNAL_ERROR }),
  virtualPort,
  bandwidth,
  vlan,
  port,
  trustGuestRxFilters: childAttribute('rxfilters', 'trustGuest', yesOrNo),
  plug,
}, { readFirst: ['uuid', 'owner', 'group', 'mac', macIsThere], resilient: true });

function macIsThere(part: NetworkPortDefinition, report: Report): void {
  if (report.elementsIn(part, 'mac').length === 0) report.problem(ErrorCode.INTERNAL_ERROR, part, 'element <mac> is missing');
}

/**
 * Reads a port's document. Nothing is made up: a missing UUID stays absent.
 *
 * @param options.strict what the format does not know is an error, and not left out
 * @throws {NetworkError} with the code that libvirt would give for the first
 * problem, and with every problem of the document in `problems`
 */
export function parseNetworkPort(xml: string, options: { strict?: boolean } = {}): { definition: NetworkPortDefinition; warnings: string[] } {
  const { root, positions } = readXml(xml);
  const report = new Report(positions, options.strict ?? false);
  if (root.local !== networkPort.name) {
    report.problemAt(ErrorCode.XML_ERROR, root, `expected element <${networkPort.name}> at the root, found <${root.name}>`);
    throw report.error();
  }
  const definition = networkPort.read(root, report) as NetworkPortDefinition;
  const error = report.error();
  if (error !== undefined) throw error;
  return { definition, warnings: report.warnings };
}

/** Writes a port's document, as libvirt prints it. */
export function formatNetworkPort(definition: NetworkPortDefinition): string {
  return writeXml(networkPort.write(definition));
}

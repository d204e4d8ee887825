/**
 * Lives here: `<network>`, the root: its own attributes, who it is, and which
 * elements it has in which order. Everything about an element stands in the
 * file of its family; a new one is one line in the interface and one below.
 * Does not know: where a definition is from.
 */
import { ErrorCode } from '../errors.js';
import { bandwidthRules, sharedBandwidth, type Bandwidth } from './bandwidth.js';
import { bridge, bridgeRules, mac, mtu, port, settleBridge, type Bridge } from './bridge.js';
import { element } from './codec/element.js';
import { attribute, children, childText } from './codec/fields.js';
import { line, textValue, uuid, yesOrNo } from './codec/values.js';
import { dns, dnsRules, type Dns } from './dns.js';
import { dnsmasqOptions } from './dnsmasq-options.js';
import { domain, domainRules, type Domain } from './domain.js';
import { forward, forwardRules, type Forward } from './forward.js';
import { ip, ipRules, type Ip } from './ip.js';
import { metadata, type ForeignElement } from './metadata.js';
import { portGroup, portGroupRules, type PortGroup } from './port-group.js';
import { proxy, proxyRules, type Proxy } from './proxy.js';
import { gatewaysAreReachable, route, type Route } from './route.js';
import type { NetworkRule, NetworkRules } from './rule.js';
import { typedVirtualPort, type VirtualPort } from './virtual-port.js';
import { vlan, vlanRules, type Vlan } from './vlan.js';

/** A network as its definition says. Lists are empty where the document has none. */
export interface NetworkDefinition {
  /** Guests of a network without IPv6 address may talk IPv6 to each other. */
  ipv6?: boolean;
  trustGuestRxFilters?: boolean;
  name: string;
  /** 36 lower-case characters; absent in a document that leaves it to vnet. */
  uuid?: string;
  title?: string;
  description?: string;
  /** Foreign elements, one for each namespace. */
  metadata?: ForeignElement[];
  /** Absent: isolated. */
  forward?: Forward;
  /** Absent in modes that have no bridge of their own; else there, with its defaults. */
  bridge?: Bridge;
  /** In bytes. */
  mtu?: number;
  /** Of the bridge; six groups of two lower-case hex digits. */
  mac?: string;
  domain?: Domain;
  dns?: Dns;
  vlan?: Vlan;
  bandwidth?: Bandwidth;
  port?: { isolated?: boolean };
  ips: Ip[];
  routes: Route[];
  virtualPort?: VirtualPort;
  portGroups: PortGroup[];
  /** Lines for dnsmasq's configuration, word for word. */
  dnsmasqOptions: string[];
  /** vnet's own: the host answers for guests whose subnet is a part of the LAN's. */
  proxy?: Proxy;
}

const unsafeInNames = /[/\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** A name is also a file's name. libvirt refuses a slash and a line feed alone. */
const networkName = textValue("any text but '.' and '..', without '/' and control characters",
  (text) => !unsafeInNames.test(text) && text !== '.' && text !== '..', 200);

const paragraphs = textValue('text without control characters', (text) => !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/.test(text));

/** The root element. Fields stand in the order of printing, `readFirst` has libvirt's order of reading. */
export const network = element<NetworkDefinition>('network', {
  ipv6: attribute('ipv6', yesOrNo, { emptyIsAbsent: true, printIf: (value) => value }),
  trustGuestRxFilters: attribute('trustGuestRxFilters', yesOrNo),
  name: childText('name', networkName, { emptyIsAbsent: true, required: ErrorCode.NO_NAME, invalid: ErrorCode.XML_DETAIL }),
  uuid: childText('uuid', uuid, { emptyIsAbsent: true, invalid: ErrorCode.INTERNAL_ERROR }),
  title: childText('title', line, { emptyIsAbsent: true }),
  description: childText('description', paragraphs, { emptyIsAbsent: true }),
  metadata,
  forward,
  bridge,
  mtu,
  mac,
  domain,
  dns,
  vlan,
  bandwidth: sharedBandwidth,
  port,
  ips: children(ip),
  routes: children(route),
  virtualPort: typedVirtualPort,
  portGroups: children(portGroup),
  dnsmasqOptions,
  proxy,
}, {
  ignored: { attributes: ['connections'] },
  readFirst: [
    'name', 'uuid', 'title', 'description', 'ipv6', 'trustGuestRxFilters', 'domain', 'bandwidth', 'vlan', 'port', 'bridge', 'mac', 'mtu',
    'dns', 'virtualPort', 'portGroups', 'ips', 'routes', gatewaysAreReachable, 'forward',
  ],
  resilient: true,
});

/** Makes a definition that was read normal: what is not printed is not kept, what is always printed is there. */
export function settleNetwork(definition: NetworkDefinition): void {
  settleBridge(definition);
  if (definition.ipv6 === false) delete definition.ipv6;
  definition.dnsmasqOptions ??= [];
}

const families: readonly NetworkRules[] = [
  forwardRules, bridgeRules, domainRules, dnsRules, ipRules, vlanRules, bandwidthRules, portGroupRules, proxyRules,
];

/** The parser's rules on whole networks. */
export const parserRules: readonly NetworkRule[] = families.flatMap(({ parser }) => parser ?? []);

/** The driver's rules: not for saved files, nor for updates. */
export const driverRules: readonly NetworkRule[] = families.flatMap(({ driver }) => driver ?? []);

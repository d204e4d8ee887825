/**
 * The definition room: what a network is, and its XML. Each element has its
 * type, its reading, its printing and its rules in the file of its name;
 * `network.ts` lists them. `codec/` is how they are declared, `xml/` reads and
 * writes documents.
 */
export { parseNetwork, parsePart, validateNetwork, type ParsedNetwork, type ParseOptions } from './parse.js';
export { formatNetwork, type FormatOptions } from './format.js';
export { applyUpdate, updateCommands, updateSections, type Update, type UpdateCommandWord, type UpdateSectionWord } from './update.js';
export { differences } from './difference.js';
export { describeProblem } from './codec/report.js';
export { xmlLimits } from './xml/scan.js';
export { describeMode, isManaged, networkMode, usesHostBridge, type NetworkMode } from './modes.js';
export { familyOfIp, prefixOfIp, servesDhcp, subnetOfIp, type Ip } from './ip.js';
export { prefixOfRoute, subnetOfRoute, type Route } from './route.js';
export { namespaceOf, type ForeignElement } from './metadata.js';
export { formatMetadata, withMetadata } from './metadata-element.js';
export { dhcpHost, dhcpRange } from './dhcp.js';
export { dnsHost, dnsSrv, dnsTxt } from './dns.js';
export { formatPciAddress, forwardInterface } from './forward.js';
export { portGroup } from './port-group.js';
export { formatNetworkPort, parseNetworkPort, type MacvtapMode, type NetworkPortDefinition, type PortPlug } from './network-port.js';
export { completeVirtualPort, mergeVirtualPorts } from './virtual-port-merge.js';
export { isInterfaceName } from './codec/values.js';
export type { NetworkDefinition } from './network.js';
export type { Forward, ForwardMode, Nat, PciAddress } from './forward.js';
export type { Bridge } from './bridge.js';
export type { Domain } from './domain.js';
export type { Dns, DnsForwarder, DnsHost, DnsTxt, Srv } from './dns.js';
export type { Dhcp, DhcpHost, DhcpRange, Bootp, LeaseTime } from './dhcp.js';
export type { Vlan, VlanTag } from './vlan.js';
export type { Bandwidth, BandwidthDirection } from './bandwidth.js';
export type { VirtualPort, VirtualPortParameters } from './virtual-port.js';
export type { PortGroup } from './port-group.js';
export type { Proxy } from './proxy.js';

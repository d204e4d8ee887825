/**
 * Lives here: what a network definition is, as plain data. The fields mean
 * what the XML attributes and elements of the same names mean; an absent field
 * is an absent attribute or element. Does not know: XML, the host.
 */
import type { Family } from '../address.js';

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
}

/** An element that vnet keeps without knowing it. */
export interface ForeignElement {
  /** As written, with its namespace prefix if it has one. */
  name: string;
  /** In document order, namespace declarations among them. */
  attributes: { name: string; value: string }[];
  children: (ForeignElement | string)[];
}

/** How guests reach the world beyond the bridge. */
export type ForwardMode = 'nat' | 'route' | 'open' | 'bridge' | 'private' | 'vepa' | 'passthrough' | 'hostdev';

export interface Forward {
  mode: ForwardMode;
  /** Always the same as the first of `interfaces`, unless `pf` is set. */
  dev?: string;
  /** hostdev only: the daemon binds and unbinds the devices. */
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

export interface Bridge {
  name?: string;
  zone?: string;
  /** On unless false. Meaningful in managed modes. */
  stp: boolean;
  /** Forward delay, in seconds. */
  delay: number;
  macTableManager?: 'kernel' | 'libvirt';
}

export interface Domain {
  name: string;
  localOnly?: boolean;
  register?: boolean;
}

export interface Dns {
  /** On unless false. */
  enable?: boolean;
  forwardPlainNames?: boolean;
  forwarders: { domain?: string; address?: string; port?: number }[];
  txts: { name: string; value?: string }[];
  srvs: Srv[];
  hosts: { ip: string; hostnames: string[] }[];
}

export interface Srv {
  service: string;
  protocol: string;
  domain?: string;
  target?: string;
  port?: number;
  priority?: number;
  weight?: number;
}

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

export interface Dhcp {
  ranges: DhcpRange[];
  hosts: DhcpHost[];
  bootp?: { file: string; server?: string };
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

export interface Route {
  family?: Family;
  address: string;
  netmask?: string;
  prefix?: number;
  gateway: string;
  metric?: number;
}

export interface Vlan {
  /** As written: more than one tag means a trunk all the same. */
  trunk?: boolean;
  tags: { id: number; nativeMode?: 'tagged' | 'untagged' }[];
}

/** Numbers in kilobytes (1000 bytes) per second, burst in KiB. */
export interface BandwidthDirection {
  average?: number;
  peak?: number;
  floor?: number;
  burst?: number;
}

export interface Bandwidth {
  /** Ports only. */
  classId?: number;
  inbound?: BandwidthDirection;
  outbound?: BandwidthDirection;
}

export interface VirtualPort {
  type?: '802.1Qbg' | '802.1Qbh' | 'openvswitch' | 'midonet';
  parameters?: {
    managerId?: number;
    typeId?: number;
    typeIdVersion?: number;
    instanceId?: string;
    interfaceId?: string;
    profileId?: string;
  };
}

export interface PortGroup {
  name: string;
  default?: boolean;
  trustGuestRxFilters?: boolean;
  vlan?: Vlan;
  virtualPort?: VirtualPort;
  bandwidth?: Bandwidth;
}

/**
 * Lives here: everything the rules may ask of a machine. This is what a port
 * to another system has to write. Does not know: how it is done.
 *
 * Every verb takes and returns plain data, so that an implementer can live in
 * another process than the rules.
 */
import type { Bandwidth, NetworkDefinition, PciAddress, VirtualPort, Vlan } from '../../shared/definition/index.js';

/**
 * A network as it should stand: the definition with everything filled in.
 */
export interface NetworkPlan {
  uuid: string;
  name: string;
  /** The bridge's name; empty if the network has none of its own. */
  bridge: string;
  definition: NetworkDefinition;
}

/** What a machine can do, and what it lacks. */
export interface HostReport {
  /** For people: `Linux 6.1, nft 1.0.6, dnsmasq 2.90`. */
  summary: string;
  /** What is missing, each a sentence that says what to do. */
  missing: string[];
}

/** An address that DHCP gave to a guest. */
export interface HostLease {
  /** In seconds since 1970-01-01 UTC; 0 means never. */
  expiry: number;
  family: 'ipv4' | 'ipv6';
  /** Canonical; absent if DHCPv6 did not tell. */
  mac?: string;
  /** Of a DHCPv6 lease. */
  iaid?: string;
  address: string;
  hostname?: string;
  clientId?: string;
}

/** What a port is plugged into, as the rules decided it. */
export type Plug =
  /** The network's own bridge (of a managed network), or one of the host's own. */
  | { type: 'bridge'; bridge: string; managed: boolean }
  /** A device of the LAN, over macvtap. */
  | { type: 'direct'; device: string; mode: 'bridge' | 'private' | 'vepa' | 'passthrough' }
  /** A PCI device that the guest gets whole. */
  | { type: 'hostdev-pci'; address: PciAddress; managed: boolean; driver?: string };

/** What vnet itself plugs in. `device` is the host's end, named in full. */
export type PortAttachment =
  | { type: 'tap'; device: string; owner: string; group: string; queues: number }
  | { type: 'veth'; device: string; netns: string; guestDevice: string }
  | { type: 'existing'; device: string };

/** A port as it should stand: with everything filled in from network and port group. */
export interface PortPlan {
  uuid: string;
  /** The guest's, canonical. */
  mac: string;
  /** Who uses it: the guest's name. */
  owner: string;
  /** The guest's UUID, canonical, if it is known. */
  ownerUuid?: string;
  plug: Plug;
  /** Absent: whoever asked for the port plugs the guest in, and the host only holds its bandwidth. */
  attachment?: PortAttachment;
  virtualPort?: VirtualPort;
  vlan?: Vlan;
  /** With the class id that the rules gave it, if it has a floor. */
  bandwidth?: Bandwidth;
  isolated: boolean;
  trustGuestRxFilters: boolean;
  /** In bytes; absent: the bridge's own. */
  mtu?: number;
}

/** One thing that a change does to the host. */
export interface HostChange {
  part: 'link' | 'address' | 'route' | 'rules' | 'dnsmasq' | 'sysctl' | 'queue';
  /** For people: `add 192.168.5.1/24 to virbr3`. */
  what: string;
  /** Guests notice nothing. */
  hitless: boolean;
}

/** A part of a network that is watched and put right; always the same words. */
export type RepairPart = 'bridge' | 'dnsmasq' | 'firewall' | 'forwarding';

/** Something that happened on the machine, to the network with this UUID. */
export type HostEvent =
  | { kind: 'lease'; network: string; change: 'added' | 'renewed' | 'expired' | 'released'; lease: HostLease }
  /** What another program took away or altered stands again; `what` for people: `firewall rules`; `still`: what is wrong with that part all the same. */
  | { kind: 'repaired'; network: string; part: RepairPart; what: string; still?: string | undefined }
  /** What could not be done on nobody's behalf: that part is wrong until it is repaired or recovers. */
  | { kind: 'failed'; network: string; part: RepairPart; what: string }
  /** What was wrong with a part is over, and nothing had to be done. */
  | { kind: 'recovered'; network: string; part: RepairPart; what: string }
  /** The bridge is gone or is not ours any more, and nobody asked for that. */
  | { kind: 'bridge-lost'; network: string };

/** One thing that was looked at. */
export interface HostFinding {
  severity: 'error' | 'warning' | 'ok';
  /** What was looked at, always the same words: `forwarding`, `foreign-drop`, `port-53`. */
  check: string;
  /** The UUID of the network it concerns; absent if it concerns the host. */
  network?: string;
  message: string;
  /** What to do about it; absent if nothing. */
  advice?: string;
}

/** What stands of one network. */
export interface Standing {
  /** The bridge is there, and it is ours. */
  bridge: boolean;
  /** dnsmasq runs, or the network needs none. */
  dnsmasq: boolean;
  /** The firewall rules are there, or the network needs none. */
  firewall: boolean;
}

/** A machine as it is now. */
export interface Observation {
  /** The names of all network interfaces, ours and others'. */
  interfaces: string[];
  /**
   * The subnets the machine's routes reach, default routes left out, each with
   * the interface it is reached through. Subnets as text: 192.168.122.0/24.
   */
  routes: { subnet: string; interface: string }[];
  standing: Standing[];
}

/** A machine that can hold virtual networks. */
export interface Host {
  /** What this machine can do. Never throws for what is missing. */
  probe(): Promise<HostReport>;

  /**
   * Makes a network stand: bridge, addresses, firewall, DHCP and DNS. On
   * failure nothing of it is left.
   *
   * @throws {NetworkError} INTERNAL_ERROR with a tool's own words; SYSTEM_ERROR
   * if the bridge exists or a tool is missing; CONFIG_UNSUPPORTED if the
   * definition asks for what this machine cannot do, with the element's name
   */
  bringUp(plan: NetworkPlan): Promise<void>;

  /**
   * Takes a network away, or what is left of it. Runs every step whatever
   * fails, and reports all that failed in one INTERNAL_ERROR. `forget` also
   * removes what outlives a stop: the leases.
   */
  tearDown(plan: NetworkPlan, options: { forget: boolean }): Promise<void>;

  /** The leases of a network that have not expired. */
  leases(plan: NetworkPlan): Promise<HostLease[]>;

  /**
   * What is on the machine now, to compare with what should be. `standing` is
   * in the order of `plans`. Only reads.
   */
  observe(plans: NetworkPlan[]): Promise<Observation>;

  /**
   * Makes good what is missing of a network whose bridge stands, without
   * touching the rest: dnsmasq started again, rules applied again.
   */
  refresh(plan: NetworkPlan, standing: Standing): Promise<void>;

  /**
   * Changes a network that stands from one plan to another, touching only what
   * differs. On failure it is as before.
   *
   * @throws {NetworkError} CONFIG_UNSUPPORTED if the difference needs a new
   * start; else as bringUp
   */
  update(before: NetworkPlan, after: NetworkPlan): Promise<void>;

  /** What bringUp (without `before`) or update would do. Touches nothing. Throws as they do for what can be known. */
  preview(before: NetworkPlan | undefined, after: NetworkPlan): Promise<HostChange[]>;

  /**
   * The devices that a network's physical function (`<pf>`) offers now: of
   * each virtual function its interface, if it has one, and its PCI address.
   *
   * @throws {NetworkError} INTERNAL_ERROR if it has none, saying why
   */
  pool(plan: NetworkPlan): Promise<{ interface?: string; address: PciAddress }[]>;

  /**
   * Plugs a port into a network that stands. On failure nothing of it is left.
   * Doing it again for a port whose device is there plugs that one in.
   *
   * @throws {NetworkError} SYSTEM_ERROR if a device cannot be made or is not
   * there; CONFIG_UNSUPPORTED if this host cannot do what the port asks for
   */
  attach(network: NetworkPlan, port: PortPlan): Promise<void>;

  /**
   * Takes a port off its network, and what vnet made for it away, unless the
   * guest is to keep its device for the time when the port is attached again.
   * The network may be down already. Runs every step, as tearDown.
   */
  detach(network: NetworkPlan, port: PortPlan, options?: { keepDevice: boolean }): Promise<void>;

  /** Changes the bandwidth of a port that is plugged in. On failure it is as before. */
  reshape(network: NetworkPlan, before: PortPlan, after: PortPlan): Promise<void>;

  /** Takes a leased address back. @throws {NetworkError} OPERATION_INVALID if it is not leased */
  releaseLease(plan: NetworkPlan, address: string): Promise<void>;

  /**
   * What happened since the last call: waits until there is something. For one
   * caller at a time; gives an empty list once the host is closed.
   */
  nextEvents(): Promise<HostEvent[]>;

  /** What would keep the host, or one of these networks, from working. Never throws for what it finds. */
  diagnose(plans: NetworkPlan[]): Promise<HostFinding[]>;

  /** Stops watching the machine. The networks stay. */
  close(): Promise<void>;
}

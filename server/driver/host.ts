/**
 * Lives here: everything the rules may ask of a machine. This is what a port
 * to another system has to write. Does not know: how it is done.
 *
 * Every verb takes and returns plain data, so that an implementer can live in
 * another process than the rules.
 */
import type { NetworkDefinition } from '../../shared/definition/index.js';

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

  /** Stops watching the machine. The networks stay. */
  close(): Promise<void>;
}

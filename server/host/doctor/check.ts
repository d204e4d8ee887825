/**
 * Lives here: what a check of the doctor is, and what has been read of the
 * machine for it. Does not know: any check, how anything is read.
 */
import type { HostFinding, NetworkPlan, Standing } from '../../driver/host.js';
import type { ForeignChain } from '../foreign/chains.js';
import type { Route } from '../proc.js';
import type { Socket } from './sockets.js';

/** A machine as it was when it was looked at. Plain data: no check reads anything itself. */
export interface Reading {
  plans: readonly NetworkPlan[];
  /** What stands of each plan, in the same order. */
  standing: readonly Standing[];
  /** The programs that vnet needs here: with the version, or without if it does not tell; or what is wrong. */
  tools: readonly { tool: string; version?: string; missing?: { message: string; hint?: string } }[];
  /** The effective capabilities of this process. */
  capabilities: bigint;
  /** /proc/sys/net can be written. */
  settingsWritable: boolean;
  interfaces: readonly string[];
  routes: readonly Route[];
  defaultRoutes: readonly { family: 'ipv4' | 'ipv6'; interface: string }[];
  /** Keys below /proc/sys, such as `net/ipv4/ip_forward`. One that the kernel does not have is absent. */
  settings: Readonly<Record<string, string>>;
  /** Who listens where. */
  sockets: readonly Socket[];
  /** Other programs' firewall rules. */
  chains: readonly ForeignChain[];
  /** The kernel has IPv6. */
  ipv6: boolean;
  use: Use;
  /** Folders above dnsmasq's files that its account cannot pass, each with that account. */
  closedFolders: readonly { path: string; user: string }[];
  /** The profiles by which AppArmor confines programs, as the kernel lists them. */
  profiles: readonly string[];
  /** What the kernel turned out not to have. */
  lacks: readonly string[];
  /** The modules this kernel has, built in or to be loaded; undefined if that cannot be told. */
  modules: ReadonlySet<string> | undefined;
}

/** How much of what the kernel limits is in use. */
export interface Use {
  /** Inotify instances of this process's account. */
  inotify: number;
  processes: number;
  /** Files this process has open, and how many it may. */
  openFiles: number;
  mostOpenFiles: number;
  /** Known neighbours, IPv4. */
  neighbours: number;
}

/** One thing that is looked at. */
export interface Check {
  /** Always the same word: `forwarding`. */
  name: string;
  /** What is said if nothing is found. */
  good: string;
  /** What is wrong, of the host or of a plan. */
  find(reading: Reading): Found[];
}

/** What a check found; its name is added to it. */
export type Found = Omit<HostFinding, 'check' | 'severity'> & { severity: 'error' | 'warning' };

/** Asks a check of each plan, with what stands of it. */
export function ofEach(reading: Reading, find: (plan: NetworkPlan, standing: Standing) => Omit<Found, 'network'>[]): Found[] {
  return reading.plans.flatMap((plan, index) => find(plan, reading.standing[index]!).map((found) => ({ ...found, network: plan.uuid })));
}

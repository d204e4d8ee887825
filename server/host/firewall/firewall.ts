/**
 * Lives here: what a firewall of the Linux host has to do. Does not know: nft,
 * iptables.
 */
import type { NetworkPlan } from '../../driver/host.js';
import type { Tool } from '../command.js';

/** Something that guards networks. What it guards is in `policy.ts`. */
export interface Firewall {
  /** As the configuration calls it. */
  readonly name: string;

  /** The programs it needs. */
  readonly tools: readonly Tool[];

  /** Checks that it can be had. @throws {NetworkError} SYSTEM_ERROR if a program is missing, NO_SUPPORT if there is no firewall */
  require(): Promise<void>;

  /**
   * Guards networks as their definitions say, in one step: no packet meets a
   * part of the rules. Doing it twice is the same as once. Other networks'
   * rules are not touched.
   */
  apply(plans: readonly NetworkPlan[]): Promise<void>;

  /**
   * Changes a network's rules from one plan's to another's, in one step, and
   * touches no chain that is the same in both. Doing it twice is the same as once.
   */
  update(before: NetworkPlan, after: NetworkPlan): Promise<void>;

  /** Takes away a network's rules, or what is left of them. */
  remove(plan: NetworkPlan): Promise<void>;

  /** Takes away what all networks share if none is guarded. */
  tidy(): Promise<void>;

  /** For each network, whether all its rules are there, as they were when they were last looked at. Only reads. */
  present(plans: readonly NetworkPlan[]): Promise<boolean[]>;

  /** Whether it holds anything on this host, for whichever network. Only reads. */
  holdsAny(): Promise<boolean>;

  /** How to learn that someone may have changed its rules. */
  notice(): Promise<Notice>;
}

/** A program that prints a line for every change, and which of them matter; where there is none, or it does not tell of all, how often to look. */
export type Notice = { tool: Tool; argv: readonly string[]; concerns: RegExp; everyMs?: number } | { everyMs: number };

/**
 * Lives here: what a firewall of the Linux host has to do. Does not know: nft,
 * iptables.
 */
import type { NetworkPlan } from '../../driver/host.js';

/** Something that guards networks. What it guards is in `policy.ts`. */
export interface Firewall {
  /** Checks that its program is there. @throws {NetworkError} SYSTEM_ERROR if not */
  require(): Promise<void>;

  /**
   * Guards a network as its definition says, in one step: no packet meets a
   * part of the rules. Doing it twice is the same as once. Other networks'
   * rules are not touched.
   */
  apply(plan: NetworkPlan): Promise<void>;

  /** Takes away a network's rules, or what is left of them. */
  remove(plan: NetworkPlan): Promise<void>;

  /** For each network, whether all its rules are there. Only reads. */
  present(plans: readonly NetworkPlan[]): Promise<boolean[]>;
}

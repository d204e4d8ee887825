/**
 * Lives here: the form of a rule that looks at a whole network. Does not know:
 * any rule; they stand beside the elements they are about.
 */
import type { Report } from './codec/report.js';
import type { NetworkDefinition } from './network.js';

/** Looks at a network and reports what is wrong with it. It sees sound parts alone if it asks the report. */
export type NetworkRule = (network: NetworkDefinition, report: Report) => void;

/** The rules of one family of elements. */
export interface NetworkRules {
  /** The parser's: they hold for every document, saved files and updates too. */
  parser?: readonly NetworkRule[];
  /** The driver's: they hold when a network is defined or created. */
  driver?: readonly NetworkRule[];
}

/** Applies rules, as far as the network's mode, on which most depend, is known. */
export function applyRules(rules: readonly NetworkRule[], network: NetworkDefinition, report: Report): void {
  if (network.forward !== undefined && !report.sound(network.forward)) return;
  for (const rule of rules) rule(network, report);
}

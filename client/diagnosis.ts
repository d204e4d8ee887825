/**
 * Lives here: what the doctor found, as programs see it. Does not know: what it
 * looks at.
 */
import type { Finding, Network as NetworkHandle, Severity } from '../shared/gen/vnet/v1/network_driver.js';
import type { Connection } from './connection.js';
import { Network } from './network.js';

/** One thing that the doctor looked at. */
export interface Diagnosis {
  /** `error`: a network cannot work; `warning`: something will be missing, or may fail; `ok`: looked at, and good. */
  severity: 'error' | 'warning' | 'ok';
  /** What was looked at, always the same words: `forwarding`, `foreign-drop`, `port-53`. */
  check: string;
  /** The network it concerns; absent if it concerns the host. */
  network?: Network;
  /** What was found, in a sentence. */
  message: string;
  /** What to do about it, with a command where there is one; absent if nothing. */
  advice?: string;
}

/** By the contract's numbers: to have their names loads all of the generated code, which completion cannot wait for. */
const severities: Partial<Record<Severity, Diagnosis['severity']>> = { 1: 'error', 2: 'warning', 3: 'ok' };

/** Asks the doctor about a network, or about the host and all of them. */
export async function diagnose(connection: Connection, network: NetworkHandle | undefined): Promise<Diagnosis[]> {
  const { findings } = await connection.driver.diagnose({ network });
  return findings.map((finding: Finding) => ({
    severity: severities[finding.severity] ?? 'warning',
    check: finding.check,
    ...(finding.network === undefined ? {} : { network: new Network(connection, finding.network) }),
    message: finding.message,
    ...(finding.advice === '' ? {} : { advice: finding.advice }),
  }));
}

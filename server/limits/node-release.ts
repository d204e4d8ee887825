/**
 * Lives here: which releases of Node have the fixes of HTTP/2 that a daemon on
 * a network needs. Does not know: who listens.
 */

import type { HostFinding } from '../driver/host.js';
import type { Log } from '../log.js';

/**
 * The first release of each line that has the fixes of July 2026
 * (CVE-2026-48937, -56846, -56848); lines that are not here and older than the
 * newest get no fixes any more.
 */
const fixed: Record<number, string> = { 22: '22.23.2', 24: '24.18.1', 26: '26.5.1' };

/** What is wrong with a release of Node for listening on a network, and what to do; undefined if nothing is known. */
export function nodeComplaint(version: string): { message: string; advice: string } | undefined {
  const [major = 0, minor = 0, patch = 0] = version.replace(/^v/, '').split('.').map((part) => Number.parseInt(part, 10));
  const newest = Math.max(...Object.keys(fixed).map(Number));
  if (major > newest) return undefined;
  const first = fixed[major];
  const advice = `run vnetd with Node ${Object.values(fixed).join(', ')} or later of these lines, or listen on the unix socket only`;
  if (first === undefined) return { message: `Node ${version} gets no fixes any more, and this daemon listens on a network: its HTTP/2 has known weaknesses`, advice };
  const [, leastMinor = 0, leastPatch = 0] = first.split('.').map(Number);
  return minor > leastMinor || (minor === leastMinor && patch >= leastPatch) ? undefined
    : { message: `Node ${version} lacks fixes of HTTP/2 that ${first} has, and this daemon listens on a network`, advice };
}

/** The doctor's word on the Node that a daemon runs on. @param onNetwork whether it listens beyond its unix sockets */
export function nodeFinding(version: string, onNetwork: boolean): HostFinding {
  const complaint = onNetwork ? nodeComplaint(version) : undefined;
  if (complaint !== undefined) return { severity: 'warning', check: 'node', ...complaint };
  return { severity: 'ok', check: 'node', message: onNetwork ? `Node ${version} has every fix of HTTP/2 that is known here` : 'the daemon listens on no network' };
}

/** Says at the start what the doctor would say. */
export function warnOfNode(finding: HostFinding, log: Log): void {
  if (finding.severity !== 'ok') log.warn({ advice: finding.advice }, finding.message);
}

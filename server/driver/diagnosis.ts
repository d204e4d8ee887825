/**
 * Lives here: what the doctor is asked and what callers get of it. Does not
 * know: any check, how the host looks.
 */
import { Severity, type DiagnoseResponse, type Finding } from '../../shared/gen/vnet/v1/network_driver.js';
import type { HostFinding } from './host.js';
import type { IdentifiedDefinition } from './identity.js';
import { planOf, type Estate } from './lifecycle.js';
import type { NetworkRecord } from './register.js';

const severities: Record<HostFinding['severity'], Severity> = { error: Severity.ERROR, warning: Severity.WARNING, ok: Severity.OK };

/**
 * What would keep networks from working, the worst first: active ones as they
 * stand, inactive ones as they would be started.
 *
 * @param records the networks to look at; what concerns the host is told in any case
 * @param more what was found elsewhere, of no network
 */
export async function diagnose(estate: Estate, records: readonly NetworkRecord[], more: readonly HostFinding[] = []): Promise<DiagnoseResponse> {
  const found = await estate.host.diagnose(records.map((record) => planOf(record.current as IdentifiedDefinition)));
  const byUuid = new Map(records.map((record) => [record.uuid, record]));
  const findings = [...found, ...more]
    // Nothing of an inactive network should stand.
    .filter(({ check, network }) => check !== 'standing' || network === undefined || byUuid.get(network)?.live !== undefined)
    .map((finding): Finding => {
      const record = byUuid.get(finding.network ?? '');
      return {
        severity: severities[finding.severity], check: finding.check, message: finding.message, advice: finding.advice ?? '',
        network: record === undefined ? undefined : { name: record.name, uuid: record.uuid },
      };
    });
  return { findings: findings.sort((a, b) => a.severity - b.severity) };
}

/**
 * Lives here: the doctor: every check asked of one look at the machine. To add
 * a check, add it to a table in `machine.ts`, `network.ts` or `sockets.ts`; its
 * name is a word of the contract and stays. Does not know: any check.
 */
import type { HostFinding, NetworkPlan } from '../../driver/host.js';
import type { Check, Reading } from './check.js';
import { machineChecks } from './machine.js';
import { networkChecks } from './network.js';
import { readMachine, type Patient } from './read.js';
import { portChecks } from './sockets.js';

/** Every check, in the order in which findings of one severity are told. */
export const checks: readonly Check[] = [...machineChecks, ...networkChecks, ...portChecks];

/** Looks at the machine and at plans, whether they stand or not, and tells what is wrong; of a check that found nothing, that it is good. */
export async function diagnose(patient: Patient, plans: readonly NetworkPlan[]): Promise<HostFinding[]> {
  return judge(await readMachine(patient, plans));
}

/** What all checks find in a reading. Pure. */
export function judge(reading: Reading): HostFinding[] {
  return checks.flatMap(({ name, good, find }): HostFinding[] => {
    const found = find(reading);
    return found.length === 0 ? [{ severity: 'ok', check: name, message: good }] : found.map((one) => ({ ...one, check: name }));
  });
}

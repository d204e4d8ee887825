/**
 * Lives here: `vnet status`: the health of networks, what was repaired, and
 * which files of the daemon are damaged. Does not know: who noticed it, how.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { DamagedFile, GetStatusResponse, NetworkStatus } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Call } from './call.js';
import { attempt, Failure } from './failure.js';
import type { OutputRecord } from './output.js';
import { renderTable } from './table.js';

const failed = 'Failed to get the status of networks';

/** `vnet status [NETWORK]`. */
export async function runStatus(call: Call): Promise<void> {
  const { networks, damagedFiles } = await statusOf(call, call.word('network'));
  for (const status of networks) call.print('', recordOf(status));
  for (const file of damagedFiles) call.print('', recordOfFile(file));
  const tables: [string[], string[][]][] = [
    [['Name', 'State', 'Health', 'Since', 'Reason'], networks.flatMap(healthRows)],
    [['Name', 'Part', 'Times', 'Last', 'Repaired'], networks.flatMap(repairRows)],
    [['Damaged file', 'Reason'], damagedFiles.flatMap(fileRows)],
  ];
  const shown = tables.filter(([, rows], index) => index === 0 ? networks.length > 0 || damagedFiles.length === 0 : rows.length > 0);
  call.print(shown.map(([heading, rows]) => renderTable(heading, rows, { quiet: call.quiet })).join('\n'));
}

/** The status of all networks, or of one. A network whose definition is damaged is none, but there is something to say of it. */
async function statusOf(call: Call, name: string): Promise<GetStatusResponse> {
  const connection = await call.connection();
  if (name === '') return attempt(failed, () => connection.status());
  try {
    const { uuid } = await call.network(name);
    return await attempt(failed, () => connection.driver.getStatus({ network: { name: '', uuid } }));
  } catch (error) {
    if (!isMissing(error)) throw error;
    const { damagedFiles } = await attempt(failed, () => connection.status());
    const own = damagedFiles.filter(({ network }) => network === name);
    if (own.length === 0) throw error;
    return { networks: [], damagedFiles: own };
  }
}

/** Whether there is no such network. */
function isMissing(error: unknown): boolean {
  return error instanceof Failure && error.cause instanceof NetworkError && error.cause.code === ErrorCode.NO_NETWORK;
}

/** A row for each fault; one for a network without. */
function healthRows({ network, active, faults }: NetworkStatus): string[][] {
  const name = network?.name ?? '';
  const state = active ? 'active' : 'inactive';
  if (faults.length === 0) return [[name, state, 'healthy', '-', '-']];
  return faults.map(({ message, sinceMs }, index) => (index === 0 ? [name, state, 'degraded', timeOf(sinceMs), message] : ['', '', '', timeOf(sinceMs), message]));
}

function repairRows({ network, repairs }: NetworkStatus): string[][] {
  return repairs.map(({ part, what, timeMs, count }) => [network?.name ?? '', part, String(count), timeOf(timeMs), what]);
}

/** What to do stands below what is wrong. */
function fileRows({ path, message, advice }: DamagedFile): string[][] {
  return [[path, message], ...(advice === '' ? [] : [['', `try: ${advice}`]])];
}

/** A network as programs see it. The fields and their meaning are documented in the manual page: they stay. */
function recordOf({ network, active, faults, repairs }: NetworkStatus): OutputRecord {
  return {
    kind: 'network', name: network?.name ?? '', uuid: network?.uuid ?? '', active, health: faults.length === 0 ? 'healthy' : 'degraded',
    faults: faults.map(({ part, message, sinceMs }) => ({ part, message, since: timeOf(sinceMs) })),
    repairs: repairs.map(({ part, what, timeMs, count }) => ({ part, what, last: timeOf(timeMs), count })),
  };
}

/** A damaged file as programs see it, likewise. */
function recordOfFile({ path, network, message, advice }: DamagedFile): OutputRecord {
  return { kind: 'damaged-file', path, name: network || null, message, advice: advice || null };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

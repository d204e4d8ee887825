/**
 * Lives here: `vnet history` and `vnet rollback`: what a network's saved
 * definition was before, and the way back to it. Does not know: where earlier
 * versions are kept.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { NetworkRevision } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Network } from '../network.js';
import type { Call } from './call.js';
import { renderChanges, sayPending } from './changes.js';
import { escapeXml } from './escape.js';
import { attempt, Exit, Failure, UsageError } from './failure.js';
import { renderTable } from './table.js';

/** `vnet history`. */
export async function runHistory(call: Call): Promise<void> {
  const wanted = call.value('xml');
  const revision = wanted === undefined ? undefined : revisionOf(wanted);
  const network = await call.network(call.word('network'));
  const failed = `Failed to get the history of network ${network.name}`;
  if (revision !== undefined) {
    const found = await attempt(failed, () => network.revision(revision));
    return call.print(call.surroundings.stdout.isTTY === true ? escapeXml(found.xml) : found.xml, { ...recordOf(found), xml: found.xml });
  }
  const all = await attempt(failed, () => network.history());
  const rows = all.map((one) => [String(one.revision), timeOf(one) ?? '-', one.cause || '-', one.current ? 'yes' : 'no']);
  call.print(renderTable(['Revision', 'Saved', 'By', 'In force'], rows, { quiet: call.quiet }));
  for (const one of all) call.print('', recordOf(one));
}

/** `vnet rollback`. */
export async function runRollback(call: Call): Promise<void> {
  const [typed] = call.words('revision');
  const asked = typed === undefined ? undefined : revisionOf(typed);
  const network = await call.network(call.word('network'));
  const { name, uuid } = network;
  const failed = `Failed to roll back network ${name}`;
  const [current, before] = await attempt(failed, () => network.history());
  if (current === undefined) throw new Failure(`network ${name} is not defined: it has no revisions`, { exit: Exit.CONFLICT });
  const rollbackTo = asked ?? before?.revision;
  if (rollbackTo === undefined) {
    throw new Failure(`no revision of network ${name} before revision ${current.revision} is kept`, { exit: Exit.NOT_FOUND, hint: `see which are: vnet history ${name}` });
  }
  if (rollbackTo === current.revision) {
    return call.announce(`Network ${name} is at revision ${rollbackTo}.`, { name, uuid, result: 'not changed', revision: rollbackTo });
  }
  const { xml } = await attempt(failed, () => network.revision(rollbackTo));
  const dryRun = call.flag('dry-run');
  const made = await attempt(failed, () => network.connection.defineXml(xml, { dryRun, expectedRevision: current.revision, rollbackTo }));
  const { warnings, pending, changes, revision } = made;
  for (const warning of warnings) call.warn(warning);
  const record = { name, uuid, result: dryRun ? 'not changed' : 'rolled back', to: rollbackTo, revision, warnings, pending };
  if (dryRun) return call.print(renderChanges(call, changes), { ...record, changes });
  call.announce(`Network ${name} rolled back to revision ${rollbackTo}; it is revision ${revision} now`, record);
  await sayPending(call, network, pending);
}

/** A revision as it is typed. @throws {UsageError} */
export function revisionOf(typed: string): number {
  if (!/^[1-9]\d{0,8}$/.test(typed)) throw new UsageError(`'${typed}' is no revision`, 'a revision is a number from 1, as vnet history lists them');
  return Number(typed);
}

/** The revision of what is saved; undefined if there is none, or the daemon is one that does not count. */
export async function currentRevision(network: Network): Promise<number | undefined> {
  try {
    return (await network.history()).find(({ current }) => current)?.revision;
  } catch (error) {
    if (error instanceof NetworkError && error.code === ErrorCode.NO_SUPPORT) return undefined;
    throw error;
  }
}

function timeOf({ timeMs }: NetworkRevision): string | undefined {
  return timeMs === 0 ? undefined : new Date(timeMs).toISOString();
}

function recordOf(one: NetworkRevision) {
  return { revision: one.revision, time: timeOf(one) ?? null, cause: one.cause, current: one.current };
}

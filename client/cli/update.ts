/**
 * Lives here: `vnet update`: a change of one part of a network. Does not know:
 * which changes are possible; the host decides.
 */
import { updateCommands, updateSections } from '../../shared/update-words.js';
import type { NetworkChange, Where } from '../network.js';
import type { Call } from './call.js';
import { renderChanges } from './changes.js';
import { readDocument } from './document-file.js';
import { attempt, UsageError } from './failure.js';

/** `vnet update`. */
export async function runUpdate(call: Call): Promise<void> {
  const where = whereOf(call);
  const network = await call.network(call.word('network'));
  const { name, uuid } = network;
  const change = await changeOf(call);
  const dryRun = call.flag('dry-run');
  const { live, config, changes } = await attempt(`Failed to update network ${name}`, () => network.update(change, { ...where, dryRun }));
  const record = { name, uuid, result: dryRun ? 'not changed' : 'updated', live, config, changes };
  if (dryRun) return call.print(renderChanges(call, changes), record);
  const what = live && config ? 'persistent config and live state' : config ? 'persistent config' : 'live state';
  call.announce(`Updated network ${name} ${what}`, record);
}

/** Which definition the switches name. @throws {UsageError} in virsh's words */
export function whereOf(call: Call): Where {
  for (const other of ['live', 'config']) refuseBoth(call, 'current', other);
  return { live: call.flag('live'), config: call.flag('config') };
}

/** Refuses two options that mean different things. @throws {UsageError} in virsh's words */
export function refuseBoth(call: Call, one: string, other: string): void {
  const given = (name: string) => call.flag(name) || call.value(name) !== undefined;
  if (given(one) && given(other)) throw new UsageError(`Options --${one} and --${other} are mutually exclusive`);
}

async function changeOf(call: Call): Promise<NetworkChange> {
  const typed = call.word('command');
  const command = updateCommands.find((word) => word === (typed === 'add' ? 'add-last' : typed));
  if (command === undefined || command === 'none') throw new UsageError(`unrecognized command name '${typed}'`, 'it can be add-first, add-last (add), delete or modify');
  const section = updateSections.find((word) => word === call.word('section'));
  if (section === undefined || section === 'none') {
    throw new UsageError(`unrecognized section name '${call.word('section')}'`, `it can be ${updateSections.slice(1).join(', ')}`);
  }
  const index = call.value('parent-index');
  if (index !== undefined && !/^[+-]?\d{1,9}$/.test(index)) {
    throw new UsageError(`Numeric value '${index}' for <parent-index> option is malformed or out of range`);
  }
  const given = call.word('xml');
  const xml = given.startsWith('<') ? given : (await readDocument(given, call.surroundings.stdin)).text;
  return { command, section, xml, ...(index === undefined ? {} : { parentIndex: Number(index) }) };
}

/**
 * Lives here: the commands that say what networks there are and what they are:
 * list, info, name, uuid. Does not know: how to connect.
 */
import type { NetworkFilter } from '../connection.js';
import type { NetworkInfo } from '../network.js';
import type { Call } from './call.js';
import { escapeLine } from './escape.js';
import { attempt, UsageError } from './failure.js';
import type { OutputRecord } from './output.js';
import { renderField, renderTable } from './table.js';

const virshHeading = ['Name', 'State', 'Autostart', 'Persistent'];

/** `vnet list`: active and inactive, with what virsh leaves out. */
export async function runList(call: Call): Promise<void> {
  const active = call.flag('active') === call.flag('inactive') || call.flag('all') ? {} : { active: call.flag('active') };
  await list(call, active, {
    heading: [...virshHeading, 'Mode', 'Bridge', 'Addresses'],
    cells: (info) => [...virshCells(info), info.mode, info.bridge ?? '-', info.addresses.join(', ') || '-'],
    maxWidth: call.surroundings.stdout.isTTY === true ? call.surroundings.stdout.columns : undefined,
  });
}

/** `vnet net-list`: to the byte what virsh prints. */
export async function runVirshList(call: Call): Promise<void> {
  const active = call.flag('all') ? {} : { active: !call.flag('inactive') };
  await list(call, active, { heading: virshHeading, cells: virshCells, maxWidth: undefined });
}

/** `vnet info`. */
export async function runInfo(call: Call): Promise<void> {
  const info = await (await call.network(call.word('network'))).info();
  const { network, active, persistent, autostart, bridge } = info;
  const fields: [string, string][] = [
    ['Name', network.name], ['UUID', network.uuid], ['Active', yesNo(active)], ['Persistent', yesNo(persistent)], ['Autostart', yesNo(autostart)],
    ...(bridge === undefined ? [] : [['Bridge', bridge] satisfies [string, string]]),
  ];
  call.print(fields.map(([name, value]) => renderField(name, value)).join(''), recordOf(info));
}

/** `vnet name`. */
export async function runName(call: Call): Promise<void> {
  const { name, uuid } = await call.network(call.word('network'));
  call.print(`${escapeLine(name)}\n`, { name, uuid });
}

/** `vnet uuid`. */
export async function runUuid(call: Call): Promise<void> {
  const { name, uuid } = await call.network(call.word('network'));
  call.print(`${escapeLine(uuid)}\n`, { name, uuid });
}

interface Columns {
  heading: string[];
  cells(info: NetworkInfo): string[];
  maxWidth: number | undefined;
}

async function list(call: Call, active: NetworkFilter, { heading, cells, maxWidth }: Columns): Promise<void> {
  if (['table', 'name', 'uuid'].filter((form) => call.flag(form)).length > 1) {
    throw new UsageError('Only one argument from --table, --name and --uuid may be specified.');
  }
  const connection = await call.connection();
  const filter = { ...active, ...chosen(call, 'persistent', 'transient'), ...chosen(call, 'autostart', 'no-autostart') };
  const rows = (await attempt('Failed to list networks', () => connection.listAllNetworks(filter))).sort(byName);
  if (call.flag('name') || call.flag('uuid')) {
    for (const row of rows) call.print(`${escapeLine(call.flag('name') ? row.network.name : row.network.uuid)}\n`, recordOf(row));
    return;
  }
  for (const row of rows) call.print('', recordOf(row));
  call.print(renderTable(heading, rows.map(cells), { quiet: call.quiet, maxWidth }));
}

/** The filter of two switches that exclude each other; both together let everything through, as in virsh. */
function chosen(call: Call, field: 'persistent' | 'autostart', not: string): NetworkFilter {
  return call.flag(field) === call.flag(not) ? {} : { [field]: call.flag(field) };
}

function virshCells({ network, active, persistent, autostart }: NetworkInfo): string[] {
  return [network.name, active ? 'active' : 'inactive', yesNo(autostart), yesNo(persistent)];
}

/** A network as programs see it. The fields and their meaning are documented in the manual page: they stay. */
function recordOf({ network, active, persistent, autostart, bridge, mode, addresses }: NetworkInfo): OutputRecord {
  return { name: network.name, uuid: network.uuid, active, persistent, autostart, bridge: bridge ?? null, mode, addresses };
}

/** By name, capitals and small letters alike, as virsh sorts. */
function byName(a: NetworkInfo, b: NetworkInfo): number {
  const [left, right] = [a.network.name.toLowerCase(), b.network.name.toLowerCase()];
  return left < right ? -1 : left > right ? 1 : 0;
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

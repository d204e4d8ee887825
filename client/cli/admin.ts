/**
 * Lives here: the commands about the daemon itself: whoami, admin clients,
 * admin disconnect, admin log-level. Does not know: networks.
 */
import type { CallerIdentity, ClientInfo, LogLevel, Right } from '../admin.js';
import type { Call } from './call.js';
import { escapeLine } from './escape.js';
import { attempt, UsageError } from './failure.js';
import type { OutputRecord } from './output.js';
import { renderField, renderTable } from './table.js';

/** `vnet whoami`: also for those who may do nothing else. */
export async function runWhoami(call: Call): Promise<void> {
  const { admin } = await call.connection({ silent: true });
  const { client, identity, rights } = await attempt('Failed to ask who this is', () => admin.whoami());
  const fields: [string, string][] = [
    ['Identity', identity?.name ?? '-'], ['Known by', identity?.kind ?? '-'], ['Connection', `${client.id}, by ${wayOf(client)} from ${client.peer}`],
    ...groupsOf(identity), ...certificateOf(identity),
  ];
  const rows = rights.map(({ permissions, networks }) => [networks.join(', ') || 'all networks', shortened(permissions).join(', ')]);
  const table = rows.length === 0 ? 'It may do nothing: an entry in /etc/vnet/access.toml on the host is missing.\n' : renderTable(['On', 'May'], rows, { quiet: call.quiet });
  const record = { ...recordOf({ ...client, identity }), rights: rights.map((right) => ({ permissions: right.permissions, networks: right.networks.length === 0 ? null : right.networks })) };
  call.print(`${fields.map(([name, value]) => renderField(name, value)).join('')}\n${table}`, record);
}

/** `vnet admin clients`. */
export async function runClients(call: Call): Promise<void> {
  const { admin } = await call.connection();
  const clients = await attempt('Failed to list clients', () => admin.clients());
  for (const client of clients) call.print('', recordOf(client));
  const rows = clients.map((client) => [
    String(client.id), wayOf(client), client.peer, client.identity?.name ?? '-', client.since.toISOString(), String(client.inFlight),
  ]);
  call.print(renderTable(['Id', 'Transport', 'From', 'Identity', 'Connected since', 'Calls'], rows, { quiet: call.quiet }));
}

/** `vnet admin disconnect`. */
export async function runDisconnect(call: Call): Promise<void> {
  const word = call.word('id');
  if (!/^[1-9]\d{0,14}$/.test(word)) throw new UsageError(`'${word}' is no client's id`, 'vnet admin clients lists them');
  const { admin } = await call.connection();
  await attempt(`Failed to disconnect client ${word}`, () => admin.disconnect(Number(word)));
  call.announce(`Client ${word} disconnected`, { id: Number(word), result: 'disconnected' });
}

/** `vnet admin log-level`. */
export async function runLogLevel(call: Call): Promise<void> {
  const { admin } = await call.connection();
  const wanted = call.word('level');
  if (wanted === '') {
    const level = await attempt('Failed to get the log level', () => admin.logLevel());
    call.print(`${escapeLine(level)}\n`, { level });
    return;
  }
  const previous = await attempt(`Failed to set the log level to ${wanted}`, () => admin.setLogLevel(wanted as LogLevel));
  call.announce(`Log level is ${wanted}, and was ${previous}`, { level: wanted, previous });
}

function wayOf({ listener, readonly }: ClientInfo): string {
  return readonly && !listener.includes('readonly') ? `${listener} (read-only)` : listener;
}

function groupsOf(identity: CallerIdentity | undefined): [string, string][] {
  return identity?.unix === undefined || identity.unix.groups.length === 0 ? [] : [['Groups', identity.unix.groups.join(', ')]];
}

function certificateOf(identity: CallerIdentity | undefined): [string, string][] {
  if (identity?.certificate === undefined) return [];
  const { subject, alternativeNames, fingerprint } = identity.certificate;
  return [['Subject', subject.join(',')], ...(alternativeNames.length === 0 ? [] : [['Names', alternativeNames.join(', ')] satisfies [string, string]]), ['Fingerprint', fingerprint]];
}

/** `network:start, network:stop` as `network:start,stop`. */
function shortened(permissions: Right['permissions']): string[] {
  const byKind = new Map<string, string[]>();
  for (const permission of permissions) {
    const [kind = '', verb] = permission.split(':');
    byKind.set(kind, [...(byKind.get(kind) ?? []), ...(verb === undefined ? [] : [verb])]);
  }
  return [...byKind].map(([kind, verbs]) => (verbs.length === 0 ? kind : `${kind}:${verbs.join(',')}`));
}

/** A connection as programs see it. The fields and their meaning are documented in the manual page: they stay. */
function recordOf({ id, listener, readonly, peer, since, identity, inFlight }: ClientInfo): OutputRecord {
  const { unix, certificate, token } = identity ?? {};
  return {
    id, listener, readonly, peer, since: since.toISOString(), identity: identity?.name ?? null, kind: identity?.kind ?? null,
    uid: unix?.uid ?? null, user: unix?.user || null, groups: unix?.groups ?? null, pid: unix?.pid ?? null,
    subject: certificate?.subject.join(',') ?? null, alternativeNames: certificate?.alternativeNames ?? null, fingerprint: certificate?.fingerprint ?? null,
    token: token || null, inFlight,
  };
}

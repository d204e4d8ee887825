/**
 * Lives here: the commands that list DHCP leases. Does not know: where leases
 * come from. Host names and client ids are a guest's words and never trusted.
 */
import { LeaseType, type DhcpLease } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Call } from './call.js';
import { attempt } from './failure.js';
import type { OutputRecord } from './output.js';
import { renderTable } from './table.js';

const heading = ['Expiry Time', 'MAC address', 'Protocol', 'IP address', 'Hostname', 'Client ID or DUID'];

/** `vnet leases`: local time with its zone. */
export async function runLeases(call: Call): Promise<void> {
  if (!call.flag('watch')) return list(call, timeWithZone);
  const network = await call.network(call.word('network'));
  await (await import('./watch.js')).watchLeases(call, network);
}

/** `vnet net-dhcp-leases`: local time, as virsh prints it. */
export const runVirshLeases = (call: Call) => list(call, localTime);

async function list(call: Call, formatTime: (seconds: number) => string): Promise<void> {
  const network = await call.network(call.word('network'));
  const mac = call.value('mac');
  const leases = await attempt(`Failed to get leases info for ${network.name}`, () => network.leases(mac === undefined ? {} : { mac }));
  sort(leases);
  for (const lease of leases) call.print('', leaseRecordOf(lease));
  call.print(renderLeases(call, leases, formatTime));
}

/** By MAC address, as virsh sorts; those of one MAC stay in the order of their addresses. */
function sort(leases: DhcpLease[]): DhcpLease[] {
  return leases.sort((a, b) => a.mac < b.mac ? -1 : a.mac > b.mac ? 1 : 0);
}

/** Leases as a table. */
export function renderLeases(call: Call, leases: DhcpLease[], formatTime: (seconds: number) => string = timeWithZone): string {
  const rows = sort(leases).map((lease) => [
    lease.expiryTime === 0 ? 'never' : formatTime(lease.expiryTime),
    lease.mac || '-', familyOf(lease) ?? '-', `${lease.ipAddress}/${lease.prefix}`, lease.hostname || '-', lease.clientId || '-',
  ]);
  return renderTable(heading, rows, { quiet: call.quiet });
}

/** A lease as programs see it. The fields and their meaning are documented in the manual page: they stay. */
export function leaseRecordOf(lease: DhcpLease): OutputRecord {
  return {
    expires: lease.expiryTime === 0 ? null : new Date(lease.expiryTime * 1000).toISOString(),
    mac: lease.mac || null,
    family: familyOf(lease) ?? null,
    address: lease.ipAddress,
    prefix: lease.prefix,
    hostname: lease.hostname || null,
    clientId: lease.clientId || null,
    iaid: lease.iaid || null,
    interface: lease.interface,
  };
}

function familyOf({ type }: DhcpLease): string | undefined {
  return { [LeaseType.IPV4]: 'ipv4', [LeaseType.IPV6]: 'ipv6' }[type as number];
}

function timeWithZone(seconds: number): string {
  return `${localTime(seconds)} ${zoneOf(seconds)}`;
}

/** `2026-11-23 22:57:22` in the machine's zone. */
export function localTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const [year, month, day, hour, minute, second] = [
    date.getFullYear(), date.getMonth() + 1, date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds(),
  ].map((part) => String(part).padStart(2, '0'));
  return `${year}-${month}-${day} ${hour}:${minute}:${second}`;
}

/** `+0100`: the zone's distance from UTC at that time. */
export function zoneOf(seconds: number): string {
  const minutes = -new Date(seconds * 1000).getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60].map((part) => String(part).padStart(2, '0'));
  return `${minutes < 0 ? '-' : '+'}${hours}${rest}`;
}

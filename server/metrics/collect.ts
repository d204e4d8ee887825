/**
 * Lives here: everything that the metrics tell, brought together when somebody
 * asks. Does not know: how it is asked for.
 */
import { EventKind, type NetworkDriver } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Connections, ListenerKind, SessionLoad } from '../connections.js';
import type { DriverFigures } from '../driver/local-driver.js';
import type { Guard } from '../limits/guard.js';
import { reading, renderMetrics, type Metric, type Sample } from './exposition.js';
import { watchProcess } from './process-metrics.js';

/** What is asked. */
export interface Sources {
  connections: Connections;
  guard: Guard;
  /** The driver as nobody in particular sees it: all of it. */
  driver: NetworkDriver;
  figures(): DriverFigures;
  /** Metrics that are kept elsewhere. */
  kept: readonly Metric[];
}

/** How long the leases that were read are good for, in milliseconds: they stand in files. */
const leasesMs = 5_000;

const kinds: readonly ListenerKind[] = ['unix', 'unix-readonly', 'tcp', 'tls'];

/** Gives the text of all metrics, each time anew. */
export function openCollection({ connections, guard, driver, figures, kept }: Sources): () => Promise<string> {
  const readProcess = watchProcess();
  const readLeases = remember(() => countLeases(driver), leasesMs);
  return async () => renderMetrics([
    ...await readProcess(),
    ...kept,
    ...connectionMetrics(connections, guard),
    ...eventMetrics(figures()),
    ...await networkMetrics(driver),
    reading('gauge', 'vnetd_leases', 'Addresses that guests have, by network.', await readLeases()),
  ]);
}

function connectionMetrics(connections: Connections, guard: Guard): Metric[] {
  const open = connections.list();
  return [
    reading('gauge', 'vnetd_connections', 'Open connections, by the socket they came in by.',
      kinds.map((kind) => ({ labels: { listener: kind }, value: open.filter(({ listener }) => listener === kind).length }))),
    reading('counter', 'vnetd_connections_total', 'Connections that were let in.', guard.admitted),
    reading('gauge', 'vnetd_connections_without_call', 'Open connections that have not made a call, other than by the read-write socket.', guard.strangers),
    reading('counter', 'vnetd_refused_total', 'What was refused or cut off, by the limit of vnetd.toml that was reached.',
      guard.refusals.list().map(({ deed, limit, count }) => ({ labels: { what: deed, limit }, value: count }))),
    ...sessionMetrics(open.flatMap(({ sessions }) => [...sessions])),
    reading('gauge', 'vnetd_calls_in_flight', 'Calls that are being answered, watches among them.', guard.calls.inFlight),
    reading('gauge', 'vnetd_unread_bytes', 'Bytes of requests that have not arrived whole.', guard.held.unread),
    reading('gauge', 'vnetd_unsent_bytes', 'Bytes of answers that wait for their reader.', guard.held.unsent),
  ];
}

function sessionMetrics(sessions: readonly SessionLoad[]): Metric[] {
  return [
    reading('gauge', 'vnetd_sessions', 'Open sessions.', sessions.length),
    reading('gauge', 'vnetd_sessions_held', 'Sessions that have reached limits.session_waiting_calls or session_unsent_bytes: they are not read until their clients take what they asked for.',
      sessions.filter(({ held }) => held).length),
    reading('gauge', 'vnetd_session_calls_waiting', 'Calls of sessions that wait for their turn, beyond limits.session_calls.', sessions.reduce((sum, { waiting }) => sum + waiting, 0)),
  ];
}

function eventMetrics({ byKind, watchers, lag, resyncs, repairs, degraded }: DriverFigures): Metric[] {
  const events = Object.entries(byKind).map(([kind, value]) => ({ labels: { kind: EventKind[Number(kind)] ?? kind }, value }));
  return [
    reading('counter', 'vnetd_events_total', 'What happened to networks, by kind.', events),
    reading('counter', 'vnetd_repairs_total', 'What of networks was gone or altered and stands again.',
      Object.entries(repairs).map(([what, value]) => ({ labels: { what }, value }))),
    reading('gauge', 'vnetd_networks_degraded', 'Networks that something is wrong with; vnet status says what.', degraded),
    reading('gauge', 'vnetd_event_watchers', 'Who watches events.', watchers),
    reading('gauge', 'vnetd_event_lag', 'How many events the slowest watcher is behind.', lag),
    reading('counter', 'vnetd_event_resyncs_total', 'How often a watcher was told that it missed something.', resyncs),
  ];
}

async function networkMetrics(driver: NetworkDriver): Promise<Metric[]> {
  const { networks } = await driver.listAllNetworks({});
  const count = (state: string, is: (row: typeof networks[number]) => boolean): Sample => ({ labels: { state }, value: networks.filter(is).length });
  return [reading('gauge', 'vnetd_networks', 'Networks by state; one can be in several.', [
    count('active', ({ active }) => active), count('inactive', ({ active }) => !active),
    count('persistent', ({ persistent }) => persistent), count('autostart', ({ autostart }) => autostart),
  ])];
}

async function countLeases(driver: NetworkDriver): Promise<Sample[]> {
  const { networks } = await driver.listAllNetworks({ active: true });
  return Promise.all(networks.map(async ({ network }) => {
    // One that stops at this moment has none.
    const { leases } = await driver.networkGetDhcpLeases({ network, mac: '' }).catch(() => ({ leases: [] }));
    return { labels: { network: network?.name ?? '' }, value: leases.length };
  }));
}

/** The same answer for a while, and to all who ask at the same time. */
function remember<T>(read: () => Promise<T>, ms: number): () => Promise<T> {
  let last: { at: number; value: Promise<T> } | undefined;
  return () => {
    if (last === undefined || performance.now() - last.at > ms) last = { at: performance.now(), value: read() };
    return last.value;
  };
}

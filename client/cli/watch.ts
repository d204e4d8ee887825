/**
 * Lives here: the commands that wait for something to happen: watch,
 * net-event, leases --watch, wait-lease. Does not know: how events travel.
 */
import { canonicalMac } from '../../shared/address.js';
import { EventKind, type DhcpLease, type WatchNetworkEventsResponse } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Network } from '../network.js';
import type { Call } from './call.js';
import { escapeLine } from './escape.js';
import { eventRecordOf, parseKinds, renderDetail, wordOf } from './event-words.js';
import { Exit, Failure, UsageError } from './failure.js';
import { localTime, renderLeases, zoneOf } from './leases.js';

/** How a watch ended. */
interface Outcome {
  count: number;
  why: 'enough' | 'timeout' | 'interrupted';
}

/** `vnet watch`: a line for each event until Ctrl-C, the time or the count ends it. */
export async function runWatch(call: Call): Promise<void> {
  const count = countOf(call);
  const kinds = parseKinds(call.value('event'));
  const network = await optionalNetwork(call);
  const outcome = await follow(call, { network, kinds, count }, (event) => call.emit(renderEvent(event), eventRecordOf(event)));
  if (outcome.why === 'timeout' && outcome.count === 0) throw nothingSeen(call);
}

/** `vnet net-event`: as virsh does, one event or with --loop many. */
export async function runNetEvent(call: Call): Promise<void> {
  if (call.flag('list')) return call.print('lifecycle\n', { event: 'lifecycle' });
  const type = call.value('event');
  if (type === undefined) throw new UsageError('either --list or --event <type> is required');
  if (type !== 'lifecycle') throw new UsageError(`unknown event type ${type}`, 'vnet watch tells of more');
  const network = await optionalNetwork(call);
  const outcome = await follow(call, { network, kinds: parseKinds('lifecycle'), count: call.flag('loop') ? Infinity : 1 }, async (event) => {
    // virsh knows no gaps: it would miss events silently.
    if (event.kind === EventKind.RESYNC) return call.warn('events were missed');
    const time = call.flag('timestamp') ? `${new Date(event.timeMs).toISOString().replace('T', ' ').replace('Z', '+0000')}: ` : '';
    const word = wordOf(event.kind);
    await call.emit(`${escapeLine(`${time}event 'lifecycle' for network ${event.network?.name}: ${word.charAt(0).toUpperCase()}${word.slice(1)}`)}\n`, eventRecordOf(event));
  });
  if (call.format !== 'json') {
    if (outcome.why !== 'enough') call.print(outcome.why === 'timeout' ? 'event loop timed out\n' : 'event loop interrupted\n');
    call.print(`events received: ${outcome.count}\n`);
  }
  if (outcome.count === 0) throw new Failure('', { exit: outcome.why === 'timeout' ? Exit.TIMED_OUT : Exit.INTERRUPTED });
}

/** `vnet leases --watch`: the leases there are, then what happens to them. */
export async function watchLeases(call: Call, network: Network): Promise<void> {
  const wanted = macOf(call);
  const show = async () => {
    const leases = await network.leases(wanted === undefined ? {} : { mac: wanted });
    if (call.format === 'table') call.print(renderLeases(call, leases));
  };
  await follow(call, { network, kinds: parseKinds('lease'), count: Infinity, begun: show }, async (event) => {
    if (event.kind === EventKind.RESYNC) await show();
    else if (wanted === undefined || event.lease?.mac === wanted) await call.emit(renderEvent(event), eventRecordOf(event));
  });
}

/** `vnet wait-lease`: the address of a guest, once it has one. */
export async function runWaitLease(call: Call): Promise<void> {
  const mac = canonicalMac(call.word('mac'));
  if (mac === undefined) throw new UsageError(`'${call.word('mac')}' is no MAC address`);
  const network = await call.network(call.word('network'));
  let found: DhcpLease | undefined;
  const look = async () => { [found] = await network.leases({ mac }); };
  await follow(call, { network, kinds: [EventKind.LEASE_ADDED, EventKind.LEASE_RENEWED], count: Infinity, begun: look, enough: () => found !== undefined }, async (event) => {
    if (event.kind === EventKind.RESYNC) await look();
    else if (event.lease?.mac === mac) found = event.lease;
  });
  if (found === undefined) throw nothingSeen(call, `no lease of ${mac} on network ${network.name}`);
  call.print(`${escapeLine(found.ipAddress)}\n`, { address: found.ipAddress, mac: found.mac, name: network.name, uuid: network.uuid });
}

/** What a command waits for. */
interface Wait {
  network: Network | undefined;
  kinds: readonly EventKind[];
  /** How many events are enough. */
  count: number;
  /** Called when nothing that happens from now on is missed. */
  begun?(): Promise<void>;
  /** Whether it has what it wants. */
  enough?(): boolean;
}

/** Hands over events until there are enough, the time is over, or Ctrl-C; a gap is handed over and not counted. */
async function follow(call: Call, wait: Wait, take: (event: WatchNetworkEventsResponse) => Promise<void> | void): Promise<Outcome> {
  const { network, kinds, count, begun, enough = () => false } = wait;
  const connection = await call.connection();
  const end = new AbortController();
  let timedOut = false;
  const timer = call.value('timeout') === undefined ? undefined
    : setTimeout(() => { timedOut = true; end.abort(); }, Number(call.value('timeout')) * 1000);
  const signal = AbortSignal.any([end.signal, call.endsByItself()]);
  let received = 0;
  try {
    for await (const event of connection.watch({ ...(network === undefined ? {} : { network }), kinds, signal })) {
      if (event.kind === EventKind.SUBSCRIBED) {
        if (call.verbose) call.surroundings.stderr.write('watching\n');
        await begun?.();
      } else {
        await take(event);
        if (event.kind !== EventKind.RESYNC) received += 1;
      }
      if (received >= count || enough()) return { count: received, why: 'enough' };
    }
  } catch (error) {
    throw new Failure('Failed to watch events', { cause: error });
  } finally {
    clearTimeout(timer);
    end.abort();
  }
  return { count: received, why: timedOut ? 'timeout' : 'interrupted' };
}

/** `2026-11-23 22:57:22.626 +0100: event 'lease-added' for network default: 192.168.122.5/24 52:54:00:01:02:03 web`. */
function renderEvent(event: WatchNetworkEventsResponse): string {
  if (event.kind === EventKind.RESYNC) return '-- resync --\n';
  const seconds = Math.floor(event.timeMs / 1000);
  const time = `${localTime(seconds)}.${String(event.timeMs % 1000).padStart(3, '0')} ${zoneOf(seconds)}`;
  const detail = renderDetail(event);
  return `${escapeLine(`${time}: event '${wordOf(event.kind)}' for network ${event.network?.name}${detail === '' ? '' : `: ${detail}`}`)}\n`;
}

async function optionalNetwork(call: Call): Promise<Network | undefined> {
  const [word] = call.words('network');
  return word === undefined ? undefined : call.network(word);
}

function countOf(call: Call): number {
  const text = call.value('count');
  if (text === undefined) return Infinity;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`--count must be a positive number, not '${text}'`);
  return Number(text);
}

function macOf(call: Call): string | undefined {
  const text = call.value('mac');
  const mac = text === undefined ? undefined : canonicalMac(text);
  if (text !== undefined && mac === undefined) throw new UsageError(`'${text}' is no MAC address`);
  return mac;
}

function nothingSeen(call: Call, what = 'no event'): Failure {
  return call.value('timeout') === undefined ? new Failure('interrupted', { exit: Exit.INTERRUPTED })
    : new Failure(`${what} within ${call.value('timeout')} s`, { exit: Exit.TIMED_OUT });
}

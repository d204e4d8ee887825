/**
 * Lives here: events in words, for people and for programs. Does not know:
 * where events come from. What is in them may be a guest's words.
 */
import { EventKind, type WatchNetworkEventsResponse } from '../../shared/gen/vnet/v1/network_driver.js';
import { UsageError } from './failure.js';
import { leaseRecordOf } from './leases.js';
import type { OutputRecord } from './output.js';
import { didYouMean } from './suggest.js';

/** Every kind of event that tells of something, by its word. */
const kinds = new Map(Object.values(EventKind)
  .filter((kind): kind is EventKind => typeof kind === 'number' && kind > EventKind.RESYNC)
  .map((kind) => [wordOf(kind), kind]));

/** Words for several kinds. */
const groups: Record<string, readonly EventKind[]> = {
  lifecycle: [EventKind.DEFINED, EventKind.UNDEFINED, EventKind.STARTED, EventKind.STOPPED],
  lease: [EventKind.LEASE_ADDED, EventKind.LEASE_RENEWED, EventKind.LEASE_EXPIRED, EventKind.LEASE_RELEASED],
  port: [EventKind.PORT_ADDED, EventKind.PORT_REMOVED],
};

/** A kind's word: `lease-added`. */
export function wordOf(kind: EventKind): string {
  return (EventKind[kind] ?? 'unknown').toLowerCase().replaceAll('_', '-');
}

/** Every word that {@link parseKinds} takes. */
export function kindWords(): string[] {
  return [...Object.keys(groups), ...kinds.keys()];
}

/** The kinds that words stand for, `started,lease`. @throws {UsageError} */
export function parseKinds(words: string | undefined): EventKind[] {
  return [...new Set((words === undefined ? [] : words.split(',')).flatMap((word) => {
    const kind = kinds.get(word);
    if (kind === undefined && groups[word] === undefined) throw new UsageError(`unknown event type ${word}`, didYouMean(word, kindWords()) ?? `there are: ${kindWords().join(', ')}`);
    return kind ?? groups[word]!;
  }))];
}

/** What an event is about, in a few words; empty if its kind says it all. */
export function renderDetail({ lease, port, detail }: WatchNetworkEventsResponse): string {
  const parts = lease === undefined ? [] : [`${lease.ipAddress}/${lease.prefix}`, lease.mac, lease.hostname];
  return [...parts, port?.uuid ?? '', detail].filter((part) => part !== '').join(' ');
}

/** An event for programs. The fields are documented in the manual page: they stay. */
export function eventRecordOf(event: WatchNetworkEventsResponse): OutputRecord {
  const { epoch, sequence, timeMs, kind, network, lease, port, detail } = event;
  return {
    time: new Date(timeMs).toISOString(),
    event: wordOf(kind),
    name: network?.name ?? null,
    uuid: network?.uuid ?? null,
    detail: detail === '' ? null : detail,
    lease: lease === undefined ? null : leaseRecordOf(lease),
    port: port?.uuid ?? null,
    epoch,
    sequence,
  };
}

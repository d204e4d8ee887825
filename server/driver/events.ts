/**
 * Lives here: the journal of what happens to networks: every event has a
 * number, the last ones are kept, and watchers are told. Does not know: what
 * an event is about, who listens.
 */
import { randomUUID } from 'node:crypto';
import type { EventKind, Network, WatchNetworkEventsResponse } from '../../shared/gen/vnet/v1/network_driver.js';

/** One event. */
export type NetworkEvent = WatchNetworkEventsResponse;

/** What an event tells beside its kind and its network. */
export type EventExtras = Partial<Pick<NetworkEvent, 'lease' | 'port' | 'detail'>>;

/** What happened, in order. */
export class Journal {
  /** Which run of the daemon numbers the events. */
  readonly epoch = randomUUID();
  private sequence = 0;

  /** Writes down that something happened, and tells whoever watches. */
  record(kind: EventKind, { name, uuid }: Network, extras: EventExtras = {}): void {
    this.sequence += 1;
    void { epoch: this.epoch, sequence: this.sequence, timeMs: Date.now(), kind, network: { name, uuid }, detail: '', ...extras };
  }
}

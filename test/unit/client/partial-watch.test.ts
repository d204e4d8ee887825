/** Watching with the rights to hear of some networks only: gaps in the numbers are no loss. */
import { expect, it } from 'vitest';
import { watchEvents } from '../../../client/watch.js';
import { EventKind, type NetworkDriver, type WatchNetworkEventsResponse } from '../../../shared/gen/vnet/v1/network_driver.js';

const event = (kind: EventKind, sequence: number, more: object = {}): WatchNetworkEventsResponse =>
  ({ epoch: 'e', sequence, timeMs: 0, kind, network: undefined, lease: undefined, port: undefined, detail: '', ...more });

it.each([[true, [EventKind.SUBSCRIBED, EventKind.STARTED]], [false, [EventKind.SUBSCRIBED, EventKind.RESYNC, EventKind.STARTED]]])('partial: %j', async (partial, expected) => {
  const driver = {
    async *watchNetworkEvents() {
      yield event(EventKind.SUBSCRIBED, 1, { partial });
      yield event(EventKind.STARTED, 7, { network: { name: 'lab', uuid: 'u' } });
    },
  } as unknown as NetworkDriver;
  const kinds: EventKind[] = [];
  for await (const { kind } of watchEvents(driver, {})) {
    kinds.push(kind);
    if (kind === EventKind.STARTED) break;
  }
  expect(kinds).toEqual(expected);
});

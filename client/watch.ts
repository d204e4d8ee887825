/**
 * Lives here: watching events over a connection that may break: it is made
 * again, and goes on after the last event that was seen. Does not know:
 * transports.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { EventKind, type NetworkDriver, type WatchNetworkEventsResponse } from '../shared/gen/vnet/v1/network_driver.js';
import { BackOff } from './back-off.js';

/** Something that happened to a network, or RESYNC: something was missed. */
export type NetworkEvent = WatchNetworkEventsResponse;

/** What to watch. */
export interface WatchOptions {
  /** Only events of this network. */
  network?: { readonly name: string; readonly uuid: string };
  /** Only events of these kinds; SUBSCRIBED and RESYNC come in any case. */
  kinds?: readonly EventKind[];
  /** Ends the watch, quietly. */
  signal?: AbortSignal;
}

/** Between two attempts to go on, in milliseconds. */
const backOffMs = { first: 200, longest: 5000 };

/** What another attempt may not find any more. Anything else, such as a network that is gone, stays. */
const passing: readonly ErrorCode[] = [ErrorCode.RPC, ErrorCode.OPERATION_TIMEOUT, ErrorCode.OPERATION_ABORTED, ErrorCode.RESOURCE_BUSY];

/**
 * Tells of what happens to networks, without end. The first event says
 * SUBSCRIBED: what happens from there on is told. RESYNC says that something
 * may have been missed: whoever keeps a picture of the networks reads them
 * anew. A connection that breaks after the first event is made again.
 *
 * @throws {NetworkError} what the first attempt fails with; later only what
 * another attempt would not change: NO_NETWORK if the network is gone
 */
export async function* watchEvents(driver: NetworkDriver, { network, kinds = [], signal }: WatchOptions): AsyncGenerator<NetworkEvent, void, undefined> {
  const handle = network && { name: network.name, uuid: network.uuid };
  let everything = handle === undefined && kinds.length === 0;
  let seen: { epoch: string; sequence: number } | undefined;
  const backOff = new BackOff(backOffMs);
  for (;;) {
    try {
      const request = { network: handle, kinds: [...kinds], epoch: seen?.epoch ?? '', after: seen?.sequence ?? 0 };
      for await (const event of driver.watchNetworkEvents(request, signal)) {
        const { epoch, sequence, kind } = event;
        backOff.reset();
        // Who may not be told of everything is told of what follows with gaps.
        if (event.partial === true) everything = false;
        const goesOn: boolean = seen !== undefined && kind === EventKind.SUBSCRIBED;
        // Nothing was missed if it is the same place. Numbers have no gaps: a gap is something that nobody told.
        const gap: boolean = seen !== undefined && (epoch !== seen.epoch || (everything && sequence > seen.sequence + 1));
        if (gap && kind !== EventKind.RESYNC) yield { ...event, kind: EventKind.RESYNC, sequence: sequence - 1, network: undefined, lease: undefined, port: undefined, detail: '' };
        seen = { epoch, sequence };
        if (!goesOn) yield event;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (seen === undefined || !(error instanceof NetworkError) || !passing.includes(error.code)) throw error;
    }
    await backOff.wait(signal);
    if (signal?.aborted) return;
  }
}

/**
 * Lives here: the journal of what happens to networks: every event has a
 * number, the last ones are kept, and watchers are told. Does not know: what
 * an event is about, who listens, or how.
 *
 * A watcher has no queue of its own: it is a place in the ring of past events
 * that all share. So a watcher that does not read costs nothing, and one that
 * the ring has overtaken is told that it missed something.
 */
import { randomUUID } from 'node:crypto';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { EventKind, type Network, type WatchNetworkEventsResponse } from '../../shared/gen/vnet/v1/network_driver.js';

/** One event. */
export type NetworkEvent = WatchNetworkEventsResponse;

/** What an event tells beside its kind and its network. */
export type EventExtras = Partial<Pick<NetworkEvent, 'lease' | 'port' | 'detail'>>;

/** What a watcher wants to hear. */
export interface Interest {
  /** The UUID of the one network it is about; absent: all. */
  network?: string | undefined;
  /** Empty: all. */
  kinds: readonly EventKind[];
  /** Where another stream ended, to go on from there; empty: from now on. */
  epoch: string;
  /** The number of the last event seen in that epoch. */
  after: number;
}

/** How much a journal takes on. */
export interface JournalLimits {
  /** How many events are kept: so far can a watcher fall behind, or come back. A kilobyte each at most. */
  kept: number;
  /** How many may watch at the same time. */
  watchers: number;
}

const usualLimits: JournalLimits = { kept: 8192, watchers: 1000 };

/** A journal in numbers. */
export interface JournalFigures {
  /** How many events of each kind were recorded. */
  byKind: Partial<Record<EventKind, number>>;
  watchers: number;
  /** How many events the slowest watcher is behind. */
  lag: number;
  /** How often a watcher was told that it missed something. */
  resyncs: number;
}

/** What happened, in order. */
export class Journal {
  /** Which run of the daemon numbers the events. */
  readonly epoch = randomUUID();
  private readonly ring: NetworkEvent[] = [];
  private readonly watchers = new Set<Watcher>();
  private readonly limits: JournalLimits;
  private sequence = 0;
  private readonly byKind: Partial<Record<EventKind, number>> = {};
  private resyncs = 0;

  constructor(limits: Partial<JournalLimits> = {}) {
    this.limits = { ...usualLimits, ...limits };
  }

  /** Writes down that something happened, and tells whoever watches. */
  record(kind: EventKind, { name, uuid }: Network, extras: EventExtras = {}): void {
    this.sequence += 1;
    this.byKind[kind] = (this.byKind[kind] ?? 0) + 1;
    const event = this.event(kind, this.sequence, { network: { name, uuid }, ...extras });
    this.ring[this.sequence % this.limits.kept] = event;
    for (const watcher of this.watchers) watcher.hear(event);
  }

  /** How it stands. */
  figures(): JournalFigures {
    const lag = Math.max(0, ...[...this.watchers].map(({ place }) => this.sequence - place));
    return { byKind: { ...this.byKind }, watchers: this.watchers.size, lag, resyncs: this.resyncs };
  }

  /**
   * Tells of events as they happen, from the first `next()` on. First comes
   * SUBSCRIBED, or RESYNC if what is to be gone on from is not kept any more.
   * Whoever is not overtaken gets every event; whoever is gets RESYNC with the
   * number up to which everything is to be read anew, and then what follows it.
   *
   * @param signal ends it
   * @throws {NetworkError} RESOURCE_BUSY if too many watch; OPERATION_ABORTED
   * once the signal has ended it
   */
  async *watch(interest: Interest, signal?: AbortSignal): AsyncGenerator<NetworkEvent, void, undefined> {
    const { watchers } = this.limits;
    if (this.watchers.size >= watchers) {
      throw new NetworkError(ErrorCode.RESOURCE_BUSY, `${watchers} watch events already, and more are not served`, {
        hint: 'watch once for all networks, and end watches that nobody reads',
      });
    }
    const resumed = interest.epoch !== '' && interest.epoch === this.epoch && interest.after >= this.oldest - 1 && interest.after <= this.sequence;
    const watcher = new Watcher(interest, resumed ? interest.after : this.sequence);
    const wake = () => watcher.wake();
    this.watchers.add(watcher);
    signal?.addEventListener('abort', wake);
    try {
      yield this.event(interest.epoch === '' || resumed ? EventKind.SUBSCRIBED : EventKind.RESYNC, watcher.place);
      for (;;) {
        if (signal?.aborted) throw new NetworkError(ErrorCode.OPERATION_ABORTED, 'watching was given up by the caller');
        const event = this.next(watcher);
        if (event === undefined) await watcher.sleep();
        else yield event;
      }
    } finally {
      this.watchers.delete(watcher);
      signal?.removeEventListener('abort', wake);
    }
  }

  /** The number of the oldest event that is kept. */
  private get oldest(): number {
    return Math.max(1, this.sequence - this.limits.kept + 1);
  }

  /** What a watcher is to be told next; undefined if it knows everything. */
  private next(watcher: Watcher): NetworkEvent | undefined {
    if (watcher.place < this.oldest - 1) {
      watcher.place = this.sequence;
      this.resyncs += 1;
      return this.event(EventKind.RESYNC, this.sequence);
    }
    while (watcher.place < this.sequence) {
      watcher.place += 1;
      const event = this.ring[watcher.place % this.limits.kept]!;
      if (watcher.wants(event)) return event;
    }
    return undefined;
  }

  private event(kind: EventKind, sequence: number, parts: Partial<NetworkEvent> = {}): NetworkEvent {
    return { epoch: this.epoch, sequence, timeMs: Date.now(), kind, network: undefined, lease: undefined, port: undefined, detail: '', ...parts };
  }
}

/** One who watches. */
class Watcher {
  private readonly kinds: ReadonlySet<EventKind>;
  private readonly network: string | undefined;
  private awaken: (() => void) | undefined;

  /** @param place the number of the last event that it is past */
  constructor({ kinds, network }: Interest, public place: number) {
    this.kinds = new Set(kinds);
    this.network = network;
  }

  wants({ kind, network }: NetworkEvent): boolean {
    return (this.kinds.size === 0 || this.kinds.has(kind)) && (this.network === undefined || this.network === network?.uuid);
  }

  /** Takes note of a new event. One that sleeps knows everything before it. */
  hear(event: NetworkEvent): void {
    if (this.awaken === undefined) return;
    if (this.wants(event)) this.wake();
    else this.place = event.sequence;
  }

  /** Waits for something to hear. */
  sleep(): Promise<void> {
    return new Promise((resolve) => { this.awaken = resolve; });
  }

  wake(): void {
    this.awaken?.();
    this.awaken = undefined;
  }
}

/**
 * Lives here: who may connect, by how many are connected. Does not know: what
 * a connection does once it is let in.
 */
import type { Connection, ListenerKind } from '../connections.js';
import type { Limits } from './limits.js';

/** A connection, as those at the door see it. */
interface Guest {
  kind: ListenerKind;
  address: string | undefined;
  uid?: number;
  /** Ends it. */
  evict(): void;
}

/** Counts who is connected. */
export class Admission {
  readonly #guests = new Map<Connection, Guest>();
  /** Those that have not made a call, the oldest first. */
  readonly #strangers = new Set<Connection>();
  readonly #addresses = new Map<string, number>();
  readonly #users = new Map<number, number>();
  #others = 0;

  /** @param descriptors how many connections the process can have open */
  constructor(private readonly limits: Limits, private readonly descriptors: number, private readonly ownUid: number | undefined) {}

  /** How many connections there may be. */
  get most(): number {
    return Math.max(1, Math.min(this.limits.connections, this.descriptors));
  }

  /** How many have not made a call. */
  get strangers(): number {
    return this.#strangers.size;
  }

  /** Which limit keeps somebody out; undefined if none does. */
  refusal(kind: ListenerKind, address: string | undefined): keyof Limits | undefined {
    const { most, limits } = this;
    if (this.#guests.size >= most) return 'connections';
    // A network cannot take the last place of this host's own people.
    if (kind !== 'unix' && this.#others >= most - Math.min(limits.connectionsKept, Math.floor(most / 2))) return 'connectionsKept';
    if (address !== undefined && (this.#addresses.get(address) ?? 0) >= limits.connectionsPerAddress) return 'connectionsPerAddress';
    return undefined;
  }

  /**
   * Lets somebody in. If too many have not made a call, the oldest of them has to go.
   *
   * @param evict ends this connection, when it is its turn
   */
  enter(connection: Connection, address: string | undefined, evict: () => void): void {
    const { listener: kind } = connection;
    this.#guests.set(connection, { kind, address, evict });
    // Whom the kernel lets open the read-write socket needs no other proof.
    if (kind !== 'unix') {
      if (this.#strangers.size >= this.limits.unauthenticated) this.#evict();
      this.#strangers.add(connection);
    }
    if (address !== undefined) add(this.#addresses, address, 1);
    if (kind !== 'unix') this.#others += 1;
  }

  /** Notes that somebody has made a call. */
  know(connection: Connection): void {
    this.#strangers.delete(connection);
  }

  /** Which limit keeps somebody out now that it is known who it is; undefined if none does. */
  identify(connection: Connection): keyof Limits | undefined {
    const guest = this.#guests.get(connection);
    const uid = connection.identity.unix?.uid;
    if (guest === undefined || uid === undefined || uid === 0 || uid === this.ownUid) return undefined;
    if ((this.#users.get(uid) ?? 0) >= this.limits.connectionsPerUser) return 'connectionsPerUser';
    guest.uid = uid;
    add(this.#users, uid, 1);
    return undefined;
  }

  /** Somebody has left. */
  leave(connection: Connection): void {
    const guest = this.#guests.get(connection);
    if (guest === undefined) return;
    this.#guests.delete(connection);
    this.#strangers.delete(connection);
    if (guest.address !== undefined) add(this.#addresses, guest.address, -1);
    if (guest.uid !== undefined) add(this.#users, guest.uid, -1);
    if (guest.kind !== 'unix') this.#others -= 1;
  }

  /** Ends the oldest of those without a call, of the place that most of them come from. */
  #evict(): void {
    const places = new Map<string, Guest[]>();
    for (const connection of this.#strangers) {
      const guest = this.#guests.get(connection)!;
      const place = guest.uid === undefined ? guest.address ?? guest.kind : `uid ${guest.uid}`;
      places.set(place, [...places.get(place) ?? [], guest]);
    }
    const [crowd] = [...places.values()].sort((a, b) => b.length - a.length);
    crowd?.[0]?.evict();
  }
}

function add<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

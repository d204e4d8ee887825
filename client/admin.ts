/**
 * Lives here: the object API's way to the daemon itself: who is connected, who
 * one is to it and what one may do, how much it logs. Does not know: networks,
 * transports.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import type { Admin, CallerIdentity, Client, Right } from '../shared/gen/vnet/v1/admin.js';

export type { CallerIdentity, Right } from '../shared/gen/vnet/v1/admin.js';

/** How much a daemon logs; `debug` is the most. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** A connection to a daemon. */
export interface ClientInfo {
  /** Its number, until the daemon ends. */
  id: number;
  /** The way it came in by. */
  listener: string;
  /** Nothing may be changed by this way. */
  readonly: boolean;
  /** Where it comes from: `198.51.100.7:40112`, or `local`. */
  peer: string;
  since: Date;
  /** Whose it is, as far as the daemon can tell. */
  identity: CallerIdentity | undefined;
  /** How many calls and streams of it are being answered. */
  inFlight: number;
}

/** Who one is to a daemon. */
export interface Self {
  client: ClientInfo;
  /** Who calls: whom the connection belongs to, unless the call brought a proof of its own. */
  identity: CallerIdentity | undefined;
  /** What it may do: permissions, and patterns of the networks' names; without any, all networks. They add up. */
  rights: Right[];
}

/** The daemon itself. Every call throws NetworkError and nothing else. */
export class Administration {
  readonly #open: (() => Promise<Admin>) | undefined;

  /** @param open the calls about the daemon; undefined if there is none */
  constructor(open: (() => Promise<Admin>) | undefined) {
    this.#open = open;
  }

  /** Who one is to the daemon, and what one may do. Every connection may ask. */
  async whoami(): Promise<Self> {
    const { client, identity, rights } = await (await this.#admin()).whoAmI({});
    if (client === undefined) throw new NetworkError(ErrorCode.RPC, 'the answer names no connection');
    return { client: infoOf(client), identity, rights };
  }

  /** The connections that are open, the oldest first. @throws {NetworkError} ACCESS_DENIED */
  async clients(): Promise<ClientInfo[]> {
    return (await (await this.#admin()).listClients({})).clients.map(infoOf);
  }

  /** Ends a connection at once. @throws {NetworkError} NO_CLIENT, ACCESS_DENIED; OPERATION_INVALID for one's own */
  async disconnect(id: number): Promise<void> {
    await (await this.#admin()).disconnectClient({ id });
  }

  /** How much the daemon logs. @throws {NetworkError} ACCESS_DENIED */
  async logLevel(): Promise<string> {
    return (await (await this.#admin()).getLogLevel({})).level;
  }

  /** Lets the daemon log more or less, until it ends; gives what it was before. @throws {NetworkError} INVALID_ARG, ACCESS_DENIED */
  async setLogLevel(level: LogLevel): Promise<string> {
    return (await (await this.#admin()).setLogLevel({ level })).previous;
  }

  async #admin(): Promise<Admin> {
    if (this.#open !== undefined) return this.#open();
    throw new NetworkError(ErrorCode.NO_SUPPORT, 'there is no daemon between: this driver runs in the program itself');
  }
}

function infoOf({ sinceMs, ...client }: Client): ClientInfo {
  return { ...client, since: new Date(sinceMs) };
}

/**
 * Lives here: from a URI to a driver. The one door from the client to the
 * server's rooms: the test driver and the host driver can run in this process,
 * and are loaded only if a URI asks for it.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import type { Admin } from '../shared/gen/vnet/v1/admin.js';
import { NetworkDriverClientImpl, NetworkDriverDefinition, type NetworkDriver } from '../shared/gen/vnet/v1/network_driver.js';
import { changes, type Procedure } from '../shared/procedures.js';
import { parseUri, type Transport, type VnetUri } from '../shared/uri.js';
import type { Channel, ChannelUri } from './channel.js';

/** How long a call may take if the caller does not say, in milliseconds. */
export const defaultTimeoutMs = 30_000;

/** How long the first answer may take, in milliseconds: a host that is there answers at once. */
const greetingTimeoutMs = 10_000;

/** When a silent daemon is asked whether it is there if the caller does not say, in milliseconds. */
const defaultKeepaliveMs = 20_000;

/** How to connect. */
export interface ConnectOptions {
  /** Refuse every changing call, and use a daemon's read-only socket where it has one. */
  readonly?: boolean;
  /** How long a call may take, in milliseconds. */
  timeoutMs?: number;
  /**
   * How calls travel: `session` over one stream, `unary` each as a gRPC call of
   * its own. By itself: a session where the daemon has them.
   */
  transport?: Transport;
  /** A daemon that says nothing for this long is asked whether it is there, and given up after half as long again, in milliseconds. */
  keepaliveMs?: number;
  /** A file with a bearer token, for a `vnet+tls` URI that names none. */
  tokenFile?: string;
  /** Do not ask who answers: for a caller that may not even know that, but who it is itself. */
  silent?: boolean;
}

/** A driver, and the way to let it go. */
export interface ConnectedDriver {
  driver: NetworkDriver;
  /** The calls about the daemon itself; undefined if there is no daemon between. */
  admin?: () => Promise<Admin>;
  /** The URI it was opened with. */
  uri: string;
  /** Lets go of the driver. The networks stay. */
  close(): Promise<void>;
}

/** What each kind of place gives. */
interface Opened {
  driver: NetworkDriver;
  /** Which driver to ask for in Open. */
  wanted: string;
  /** The driver, impatient: to find out whether it is there at all. */
  greeter?: NetworkDriver;
  /** Gives up after a failure to connect. @returns the error behind it */
  fail?(error: unknown): Promise<unknown>;
  admin?: () => Promise<Admin>;
  close(): Promise<void>;
}

/**
 * Opens the driver that a URI names. Whatever it is, the caller holds the same
 * interface and gets the same errors.
 *
 * @throws {NetworkError} NO_CONNECT, INVALID_ARG for the URI; RPC if nobody
 * listens there, or ssh finds no way; AUTH_FAILED for TLS files that cannot be
 * used, and for keys that ssh or its other end does not take
 */
export async function connect(uri: string, options: ConnectOptions = {}): Promise<ConnectedDriver> {
  const opened = await open(parseUri(uri), uri, options);
  try {
    if (options.silent !== true) await (opened.greeter ?? opened.driver).open({ driver: opened.wanted });
  } catch (error) {
    const reason = opened.fail === undefined ? error : await opened.fail(error);
    await opened.close();
    throw reason;
  }
  const driver = options.readonly === true ? readonlyPart(NetworkDriverDefinition.methods, opened.driver) : opened.driver;
  return { driver, uri, ...(opened.admin === undefined ? {} : { admin: opened.admin }), close: () => opened.close() };
}

async function open(uri: VnetUri, text: string, options: ConnectOptions): Promise<Opened> {
  switch (uri.scheme) {
    case 'test': {
      const { openTestDriver } = await import('../server/driver/test-driver.js');
      return { driver: await openTestDriver(), wanted: 'test', close: async () => undefined };
    }
    case 'embed': {
      const { openEmbeddedDriver } = await import('../server/embed.js');
      return { ...await openEmbeddedDriver(uri.root), wanted: 'system' };
    }
    case 'ssh': {
      const { openTunnel, loginTimeoutMs } = await import('./ssh.js');
      const tunnel = await openTunnel(uri, options.readonly ?? false);
      const place: ChannelUri = {
        scheme: 'unix', driver: uri.driver, socket: tunnel.socket, place: tunnel.place, ...(uri.transport === undefined ? {} : { transport: uri.transport }),
      };
      const opened = await openRemote(place, text, options, { greetingMs: loginTimeoutMs, explain: tunnel.explain });
      return { ...opened, fail: tunnel.fail, close: () => opened.close().finally(tunnel.close) };
    }
    default:
      return openRemote(uri, text, options);
  }
}

/** What is other for who is carried by another program. */
interface Carried extends Pick<Channel, 'explain'> {
  /** How long the first call may take, in milliseconds. */
  greetingMs?: number;
}

async function openRemote(uri: ChannelUri, text: string, options: ConnectOptions, { greetingMs = greetingTimeoutMs, ...carried }: Carried = {}): Promise<Opened> {
  const { openChannel } = await import('./channel.js');
  const { openRpc } = await import('./steady-rpc.js');
  const { timeoutMs = defaultTimeoutMs, keepaliveMs = defaultKeepaliveMs, transport = uri.transport } = options;
  const channel = { ...await openChannel(uri, options.readonly ?? false, keepaliveMs, options.tokenFile), ...carried };
  const rpc = openRpc(channel, text, transport, keepaliveMs);
  return {
    driver: new NetworkDriverClientImpl(rpc.steady(timeoutMs)),
    greeter: new NetworkDriverClientImpl(rpc.once(Math.min(options.timeoutMs ?? greetingMs, greetingMs))),
    admin: async () => {
      const { AdminClientImpl, AdminDefinition } = await import('../shared/gen/vnet/v1/admin.js');
      const admin = new AdminClientImpl(rpc.steady(timeoutMs));
      return options.readonly === true ? readonlyPart(AdminDefinition.methods, admin) : admin;
    },
    wanted: uri.driver,
    close: async () => rpc.close(),
  };
}

/** A service that refuses every changing call before it leaves. */
function readonlyPart<Service extends object>(methods: { [Key in keyof Service]: Procedure }, service: Service): Service {
  const guarded: Partial<Service> = {};
  for (const [key, procedure] of Object.entries(methods) as [keyof Service, Procedure][]) {
    guarded[key] = (changes(procedure)
      ? async () => { throw refused(procedure.name); }
      : (service[key] as () => unknown).bind(service)) as Service[keyof Service];
  }
  return guarded as Service;
}

function refused(procedure: string): NetworkError {
  return new NetworkError(ErrorCode.OPERATION_DENIED, `read only access prevents ${procedure}`);
}

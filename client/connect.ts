/**
 * Lives here: from a URI to a driver. The one door from the client to the
 * server's rooms: the test driver and the host driver can run in this process,
 * and are loaded only if a URI asks for it.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import type { Admin } from '../shared/gen/vnet/v1/admin.js';
import { NetworkDriverClientImpl, NetworkDriverDefinition, type NetworkDriver } from '../shared/gen/vnet/v1/network_driver.js';
import { changes, type Procedure } from '../shared/procedures.js';
import { parseUri, type VnetUri } from '../shared/uri.js';

/** How long a call may take if the caller does not say, in milliseconds. */
export const defaultTimeoutMs = 30_000;

/** How long the first answer may take, in milliseconds: a host that is there answers at once. */
const greetingTimeoutMs = 10_000;

/** How to connect. */
export interface ConnectOptions {
  /** Refuse every changing call, and use a daemon's read-only socket where it has one. */
  readonly?: boolean;
  /** How long a call may take, in milliseconds. */
  timeoutMs?: number;
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
  admin?: () => Promise<Admin>;
  close(): Promise<void>;
}

/**
 * Opens the driver that a URI names. Whatever it is, the caller holds the same
 * interface and gets the same errors.
 *
 * @throws {NetworkError} NO_CONNECT, INVALID_ARG for the URI; RPC if nobody
 * listens there; AUTH_FAILED for TLS files that cannot be used
 */
export async function connect(uri: string, options: ConnectOptions = {}): Promise<ConnectedDriver> {
  const opened = await open(parseUri(uri), options);
  try {
    if (options.silent !== true) await (opened.greeter ?? opened.driver).open({ driver: opened.wanted });
  } catch (error) {
    await opened.close();
    throw error;
  }
  const driver = options.readonly === true ? readonlyPart(NetworkDriverDefinition.methods, opened.driver) : opened.driver;
  return { driver, uri, ...(opened.admin === undefined ? {} : { admin: opened.admin }), close: () => opened.close() };
}

async function open(uri: VnetUri, options: ConnectOptions): Promise<Opened> {
  switch (uri.scheme) {
    case 'test': {
      const { openTestDriver } = await import('../server/driver/test-driver.js');
      return { driver: await openTestDriver(), wanted: 'test', close: async () => undefined };
    }
    case 'embed': {
      const { openEmbeddedDriver } = await import('../server/embed.js');
      return { ...await openEmbeddedDriver(uri.root), wanted: 'system' };
    }
    case 'ssh':
      throw new NetworkError(ErrorCode.NO_SUPPORT, 'vnet+ssh', {
        hint: 'forward the socket: ssh -L /tmp/vnet.sock:/run/vnet/vnet.sock HOST, then vnet+unix:///system?socket=/tmp/vnet.sock',
      });
    default:
      return openRemote(uri, options);
  }
}

async function openRemote(uri: Exclude<VnetUri, { scheme: 'test' | 'embed' | 'ssh' }>, options: ConnectOptions): Promise<Opened> {
  const { openChannel } = await import('./channel.js');
  const { createGrpcRpc } = await import('./grpc-rpc.js');
  const channel = await openChannel(uri, options.readonly ?? false);
  const { timeoutMs = defaultTimeoutMs } = options;
  const rpc = createGrpcRpc(channel, timeoutMs);
  return {
    driver: new NetworkDriverClientImpl(rpc),
    admin: async () => {
      const { AdminClientImpl, AdminDefinition } = await import('../shared/gen/vnet/v1/admin.js');
      const admin = new AdminClientImpl(rpc);
      return options.readonly === true ? readonlyPart(AdminDefinition.methods, admin) : admin;
    },
    greeter: new NetworkDriverClientImpl(createGrpcRpc(channel, Math.min(timeoutMs, greetingTimeoutMs))),
    wanted: uri.driver,
    close: async () => channel.client.close(),
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

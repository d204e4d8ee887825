/**
 * Lives here: from a URI to a driver. The one door from the client to the
 * server's rooms: the test driver and the host driver can run in this process,
 * and are loaded only if a URI asks for it.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { NetworkDriverClientImpl, NetworkDriverDefinition, type NetworkDriver } from '../shared/gen/vnet/v1/network_driver.js';
import { changes } from '../shared/procedures.js';
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
  /** A file with a bearer token, for a `vnet+tls` URI that names none. */
  tokenFile?: string;
}

/** A driver, and the way to let it go. */
export interface ConnectedDriver {
  driver: NetworkDriver;
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
    await (opened.greeter ?? opened.driver).open({ driver: opened.wanted });
  } catch (error) {
    await opened.close();
    throw error;
  }
  const driver = options.readonly === true ? readonlyDriver(opened.driver) : opened.driver;
  return { driver, uri, close: () => opened.close() };
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
  const channel = await openChannel(uri, options.readonly ?? false, options.tokenFile);
  const { timeoutMs = defaultTimeoutMs } = options;
  return {
    driver: new NetworkDriverClientImpl(createGrpcRpc(channel, timeoutMs)),
    greeter: new NetworkDriverClientImpl(createGrpcRpc(channel, Math.min(timeoutMs, greetingTimeoutMs))),
    wanted: uri.driver,
    close: async () => channel.client.close(),
  };
}

/** A driver that refuses every changing call before it leaves. */
function readonlyDriver(driver: NetworkDriver): NetworkDriver {
  const guarded: Record<string, unknown> = {};
  for (const [name, procedure] of Object.entries(NetworkDriverDefinition.methods)) {
    const method = name as keyof NetworkDriver;
    guarded[method] = changes(procedure)
      ? async () => { throw refused(procedure.name); }
      : driver[method].bind(driver);
  }
  return guarded as unknown as NetworkDriver;
}

function refused(procedure: string): NetworkError {
  return new NetworkError(ErrorCode.OPERATION_DENIED, `read only access prevents ${procedure}`);
}

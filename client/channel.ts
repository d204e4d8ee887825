/**
 * Lives here: a gRPC channel to the place a URI names. One of three files of the
 * client that import grpc-js. Does not know: what is called over it.
 */
import { access, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { Client, credentials, Metadata, type ChannelCredentials, type ClientOptions } from '@grpc/grpc-js';
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { defaults, type PkiFiles, type VnetUri } from '../shared/uri.js';

/** The URIs that lead to a daemon over a gRPC channel. */
export type ChannelUri = Extract<VnetUri, { scheme: 'unix' | 'tcp' | 'tls' }> & { /** What messages call it, if not by its address. */ place?: string };

/** A channel, and where it leads, for messages. */
export interface Channel {
  client: Client;
  /** `/run/vnet/vnet.sock` or `host:16614`. */
  place: string;
  /** What goes with every call: the proof of who makes it, if there is one beside the connection. */
  metadata: Metadata;
  /** The reason behind a failure to get there, where somebody else carries the connection and says more. */
  explain?: (error: NetworkError) => Promise<NetworkError>;
}

const options: ClientOptions = {
  // A second attempt after a lost connection comes soon: hosts are few and near.
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  // Another caller's broken channel is not ours.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
};

/**
 * Opens a channel. Nothing is sent before the first call.
 *
 * @param keepaliveMs a daemon that says nothing for this long is asked whether it is there, and given up after half as long again
 * @param tokenFile a file with a bearer token, for a TLS URI that names none
 */
export async function openChannel(uri: ChannelUri, readonly: boolean, keepaliveMs: number, tokenFile?: string): Promise<Channel> {
  const file = tokenFileOf(uri, tokenFile);
  // A daemon gives up on a silent peer; so does a client on a silent daemon.
  const keepalive = { 'grpc.keepalive_time_ms': keepaliveMs, 'grpc.keepalive_timeout_ms': keepaliveMs / 2 };
  const channel = await openBare(uri, readonly, keepalive, file !== undefined);
  if (file !== undefined) channel.metadata.set('authorization', `Bearer ${await readToken(file)}`);
  return channel;
}

/** Tokens never go in the clear, and to this machine's daemon only if the URI says so. */
function tokenFileOf(uri: ChannelUri, given: string | undefined): string | undefined {
  if (uri.scheme === 'tcp') return undefined;
  return uri.tokenFile ?? (uri.scheme === 'tls' ? given : undefined);
}

async function openBare(uri: ChannelUri, readonly: boolean, keepalive: ClientOptions, withToken: boolean): Promise<Channel> {
  switch (uri.scheme) {
    case 'unix': {
      const socket = uri.socket ?? (readonly ? defaults.readonlySocket : defaults.socket);
      // Any name serves as authority: the socket's mode decides who may speak.
      return open(`unix:${socket}`, credentials.createInsecure(), uri.place ?? socket, { ...keepalive, 'grpc.default_authority': 'localhost' });
    }
    case 'tcp':
      return open(target(uri), credentials.createInsecure(), `${uri.host}:${uri.port}`, keepalive);
    case 'tls':
      // TLS has no way to ask for a host by address: then any name is asked for, and the address is what is checked.
      return open(target(uri), await tlsCredentials(uri, withToken), `${uri.host}:${uri.port}`,
        isIP(uri.host) === 0 ? keepalive : { ...keepalive, 'grpc.ssl_target_name_override': 'vnetd' });
  }
}

function open(address: string, channelCredentials: ChannelCredentials, place: string, more: ClientOptions): Channel {
  return { client: new Client(address, channelCredentials, { ...options, ...more }), place, metadata: new Metadata() };
}

function target({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `ipv6:[${host}]:${port}` : `dns:///${host}:${port}`;
}

/** @param optional a token is there, so that no certificate needs to be */
async function tlsCredentials({ pki, host }: { pki: PkiFiles; host: string }, optional: boolean): Promise<ChannelCredentials> {
  const own = !optional || await isThere(pki.certificate) || await isThere(pki.key);
  const [ca, certificate = null, key = null] = await Promise.all([pki.ca, ...(own ? [pki.certificate, pki.key] : [])].map(readPem));
  try {
    return credentials.createSsl(ca!, key, certificate, { checkServerIdentity: (_, shown) => checkServerIdentity(host, shown) });
  } catch (error) {
    throw new NetworkError(ErrorCode.AUTH_FAILED,
      `the TLS files ${pki.certificate} and ${pki.key} cannot be used: ${(error as Error).message}`,
      { hint: 'the certificate and the key must belong together, both as PEM', cause: error });
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new NetworkError(ErrorCode.AUTH_FAILED, `cannot read token file ${path}: ${error.message}`, { cause: error });
  });
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new NetworkError(ErrorCode.AUTH_FAILED, `${path} does not hold one token and nothing else`, { hint: 'make one on the host of vnetd, as root: vnet token add NAME' });
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new NetworkError(ErrorCode.AUTH_FAILED, `cannot read TLS file ${path}: ${(error as Error).message}`, {
      hint: 'give the files in the URI: ?pkipath=DIR, or ?ca=FILE&cert=FILE&key=FILE', cause: error,
    });
  }
}

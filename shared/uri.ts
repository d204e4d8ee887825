/**
 * Lives here: the URIs that name a driver, and what each part means. Does not
 * know: how to connect.
 */
import { ErrorCode, NetworkError } from './errors.js';

/** Where vnetd listens if nobody says otherwise. */
export const defaults = {
  socket: '/run/vnet/vnet.sock',
  readonlySocket: '/run/vnet/vnet-ro.sock',
  tcpPort: 16609,
  tlsPort: 16614,
  /** Where a client looks for ca.pem, client.pem and client-key.pem. */
  pki: '/etc/vnet/pki',
} as const;

/** A parsed URI. */
export type VnetUri =
  | { scheme: 'unix'; driver: string; /** Absent: the default for the rights asked for. */ socket?: string; tokenFile?: string }
  | { scheme: 'tcp'; driver: string; host: string; port: number }
  | { scheme: 'tls'; driver: string; host: string; port: number; pki: PkiFiles; /** A file with a bearer token. */ tokenFile?: string }
  | { scheme: 'ssh'; driver: string; host: string; port?: number; user?: string; socket?: string }
  | { scheme: 'embed'; root: string }
  | { scheme: 'test' };

/** Files that prove who a client is, and whom it trusts. */
export interface PkiFiles {
  ca: string;
  certificate: string;
  key: string;
}

const forms = 'vnet:///system, vnet+unix:///system?socket=PATH, vnet+tcp://HOST/system, vnet+tls://HOST/system, ' +
  'vnet+ssh://HOST/system, vnet:///embed?root=DIR, test:///default';

/**
 * Reads a URI.
 *
 * @throws {NetworkError} NO_CONNECT if no driver answers to it; INVALID_ARG if
 * a part of it is wrong or unknown
 */
export function parseUri(text: string): VnetUri {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw unknownUri(text);
  const driver = decodeURIComponent(url.pathname.replace(/^\//, ''));
  switch (url.protocol) {
    case 'test:':
      if (url.host !== '' || driver !== 'default') throw unknownUri(text);
      parameters(url, []);
      return { scheme: 'test' };
    case 'vnet:':
      if (url.host !== '') throw wrong(text, `a host needs a transport, such as vnet+tls://${url.host}/system`);
      return driver === 'embed' ? parseEmbed(url) : parseUnix(url, driver);
    case 'vnet+unix:':
      if (url.host !== '') throw wrong(text, 'a unix socket has no host: write vnet+unix:///system?socket=PATH');
      return parseUnix(url, driver);
    case 'vnet+tcp:':
      parameters(url, []);
      return { scheme: 'tcp', driver: driverOf(url, driver), ...hostAndPort(url, defaults.tcpPort) };
    case 'vnet+tls:':
      return { scheme: 'tls', driver: driverOf(url, driver), ...hostAndPort(url, defaults.tlsPort), ...parseProofs(url) };
    case 'vnet+ssh:':
      return parseSsh(url, driver);
    default:
      throw unknownUri(text);
  }
}

function parseEmbed(url: URL): VnetUri {
  const { root } = parameters(url, ['root']);
  if (root === undefined || !root.startsWith('/')) throw wrong(url.href, 'root must be an absolute path: vnet:///embed?root=/srv/vnet');
  return { scheme: 'embed', root };
}

function parseUnix(url: URL, driver: string): VnetUri {
  const { socket, 'token-file': tokenFile } = parameters(url, ['socket', 'token-file']);
  if (socket !== undefined && !socket.startsWith('/')) throw wrong(url.href, 'socket must be an absolute path');
  return {
    scheme: 'unix', driver: driverOf(url, driver), ...(socket === undefined ? {} : { socket }), ...(tokenFile === undefined ? {} : { tokenFile }),
  };
}

function parseSsh(url: URL, driver: string): VnetUri {
  const { socket } = parameters(url, ['socket']);
  const user = decodeURIComponent(url.username);
  // Neither may be taken for an option by ssh.
  if (url.hostname.startsWith('-') || user.startsWith('-')) throw wrong(url.href, 'a host or user cannot start with a dash');
  return {
    scheme: 'ssh',
    driver: driverOf(url, driver),
    host: bareHost(url),
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    ...(user === '' ? {} : { user }),
    ...(socket === undefined ? {} : { socket }),
  };
}

function parseProofs(url: URL): { pki: PkiFiles; tokenFile?: string } {
  const { pkipath = defaults.pki, ca, cert, key, 'token-file': tokenFile } = parameters(url, ['pkipath', 'ca', 'cert', 'key', 'token-file']);
  const pki = { ca: ca ?? `${pkipath}/ca.pem`, certificate: cert ?? `${pkipath}/client.pem`, key: key ?? `${pkipath}/client-key.pem` };
  return { pki, ...(tokenFile === undefined ? {} : { tokenFile }) };
}

function hostAndPort(url: URL, defaultPort: number): { host: string; port: number } {
  if (url.hostname === '') throw wrong(url.href, 'the host is missing');
  if (url.username !== '' || url.password !== '') throw wrong(url.href, 'a user goes with vnet+ssh only');
  return { host: bareHost(url), port: url.port === '' ? defaultPort : Number(url.port) };
}

/** The host without the brackets that an IPv6 address has in a URI. */
function bareHost(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

function driverOf(url: URL, driver: string): string {
  if (driver === 'system' || driver === 'test') return driver;
  throw wrong(url.href, `the path must be /system, not '/${driver}'`);
}

/** The query's parameters. @throws {NetworkError} INVALID_ARG for one that is not known or empty */
function parameters<Name extends string>(url: URL, known: readonly Name[]): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  for (const [name, value] of url.searchParams) {
    const match = known.find((candidate) => candidate === name);
    if (match === undefined) {
      throw wrong(url.href, `unknown parameter '${name}'${known.length === 0 ? '' : `; known: ${known.join(', ')}`}`);
    }
    if (value === '') throw wrong(url.href, `parameter '${name}' is empty`);
    found[match] = value;
  }
  return found;
}

function wrong(text: string, why: string): NetworkError {
  return new NetworkError(ErrorCode.INVALID_ARG, `URI '${text}': ${why}`);
}

function unknownUri(text: string): NetworkError {
  return new NetworkError(ErrorCode.NO_CONNECT, text, { hint: `known forms: ${forms}` });
}

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

/** How calls travel: over one stream, or each as a gRPC call of its own. */
export type Transport = 'session' | 'unary';

/** A parsed URI. Without `transport` the client chooses. */
export type VnetUri =
  | { scheme: 'unix'; driver: string; /** Absent: the default for the rights asked for. */ socket?: string; tokenFile?: string; transport?: Transport }
  | { scheme: 'tcp'; driver: string; host: string; port: number; transport?: Transport }
  | { scheme: 'tls'; driver: string; host: string; port: number; pki: PkiFiles; /** A file with a bearer token. */ tokenFile?: string; transport?: Transport }
  | SshUri
  | { scheme: 'embed'; root: string }
  | { scheme: 'test' };

/** A daemon's socket on a host that ssh leads to. What stands here is safe as ssh's argument, and for a shell on the far side. */
export interface SshUri {
  scheme: 'ssh';
  driver: string;
  host: string;
  port?: number;
  user?: string;
  /** The socket there; absent: the default for the rights asked for. */
  socket?: string;
  /** The words that run vnet there. */
  command: readonly string[];
  /** The private key to show, besides those that ssh knows of. */
  keyfile?: string;
  /** Where the keys of hosts are, instead of where ssh's configuration says. */
  knownHosts?: string;
  /** ssh must not ask for anything. */
  noTty: boolean;
  transport?: Transport;
}

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
      return { scheme: 'tcp', driver: driverOf(url, driver), ...hostAndPort(url, defaults.tcpPort), ...parseTransport(url, parameters(url, ['transport'])) };
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
  const { socket, 'token-file': tokenFile, ...rest } = parameters(url, ['socket', 'token-file', 'transport']);
  if (socket !== undefined && !socket.startsWith('/')) throw wrong(url.href, 'socket must be an absolute path');
  return {
    scheme: 'unix', driver: driverOf(url, driver), ...(socket === undefined ? {} : { socket }), ...(tokenFile === undefined ? {} : { tokenFile }),
    ...parseTransport(url, rest),
  };
}

/** What ssh, and the shell of the far side, take as it stands. */
const sshHost = /^([A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9a-f:.]*:[0-9a-f:.]*)$/i;
const sshUser = /^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$/;
const sshWord = /^[A-Za-z0-9_./-][A-Za-z0-9_./@%+=:,-]*$/;
const sshPath = /^\/[A-Za-z0-9_./@+=:,-]*$/;
const sshFile = /^\/[A-Za-z0-9_./@+=:, -]*$/;

function parseSsh(url: URL, driver: string): SshUri {
  const given = parameters(url, ['socket', 'command', 'keyfile', 'known_hosts', 'no_tty', 'transport']);
  const host = sshPart(url, 'host', decode(url, bareHost(url)), sshHost, 'letters, digits, dots, dashes and underscores, or an IPv6 address in brackets');
  if (url.password !== '') throw wrong(`${url.protocol}//${url.host}${url.pathname}`, 'a password does not belong in a URI: ssh asks for it, or uses a key');
  const user = url.username === '' ? undefined : sshPart(url, 'user', decode(url, url.username), sshUser, 'letters, digits and _ . @ + -');
  const command = (given.command ?? 'vnet').split(' ');
  for (const word of command) sshPart(url, 'command', word, sshWord, 'words of letters, digits and _ . / @ % + = : , - with one space between them');
  if (command[0]!.startsWith('-')) throw wrong(url.href, 'command cannot start with a dash');
  if (given.no_tty !== undefined && !/^[01]$/.test(given.no_tty)) throw wrong(url.href, 'no_tty must be 1 or 0');
  const file = (name: 'socket' | 'keyfile' | 'known_hosts', allowed: RegExp) => given[name] === undefined ? undefined
    : sshPart(url, name, given[name], allowed, 'an absolute path of letters, digits and plain signs');
  const [socket, keyfile, knownHosts] = [file('socket', sshPath), file('keyfile', sshFile), file('known_hosts', sshFile)];
  return {
    scheme: 'ssh', driver: driverOf(url, driver), host, command, noTty: given.no_tty === '1',
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    ...(user === undefined ? {} : { user }),
    ...(socket === undefined ? {} : { socket }),
    ...(keyfile === undefined ? {} : { keyfile }),
    ...(knownHosts === undefined ? {} : { knownHosts }),
    ...parseTransport(url, given),
  };
}

/** A part that ends on a command line. @throws {NetworkError} INVALID_ARG if it could be taken for something else there */
function sshPart(url: URL, name: string, value: string, allowed: RegExp, meaning: string): string {
  if (value === '') throw wrong(url.href, `the ${name} is missing`);
  if (value.startsWith('-') && name !== 'command') throw wrong(url.href, `a ${name} cannot start with a dash`);
  if (!allowed.test(value)) throw wrong(url.href, `the ${name} '${value}' must be ${meaning}`);
  return value;
}

function decode(url: URL, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw wrong(url.href, `'${part}' is wrongly encoded`);
  }
}

function parseProofs(url: URL): { pki: PkiFiles; tokenFile?: string; transport?: Transport } {
  const { pkipath = defaults.pki, ca, cert, key, 'token-file': tokenFile, ...rest } = parameters(url, ['pkipath', 'ca', 'cert', 'key', 'token-file', 'transport']);
  const pki = { ca: ca ?? `${pkipath}/ca.pem`, certificate: cert ?? `${pkipath}/client.pem`, key: key ?? `${pkipath}/client-key.pem` };
  return { pki, ...(tokenFile === undefined ? {} : { tokenFile }), ...parseTransport(url, rest) };
}

function parseTransport(url: URL, { transport }: { transport?: string }): { transport?: Transport } {
  if (transport === undefined) return {};
  if (transport !== 'session' && transport !== 'unary') throw wrong(url.href, `transport must be session or unary, not '${transport}'`);
  return { transport };
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

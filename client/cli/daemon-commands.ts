/**
 * Lives here: the part of the table of commands that is about a daemon and the
 * ways to it: certificates, tokens, ssh's far side, who is connected. Does not
 * know: what a command does, the commands about networks.
 */
import { dataFormats, type Command } from './command.js';

/** The commands about a daemon. */
export const daemonCommands: readonly Command[] = [
  {
    name: 'pki', summary: 'make certificates for vnet+tls: an authority, servers, clients',
    description: 'init makes an authority in /etc/vnet/pki, or --dir; issue server HOST and issue client NAME make a folder each with all that the daemon, ' +
      'or a client with ?pkipath=, wants; list shows what was issued; revoke NAME|SERIAL takes it back, and writes crl.pem. Needs openssl, and no daemon.',
    arguments: [
      { name: 'action', kind: 'text', choices: ['init', 'issue', 'list', 'revoke'], summary: 'init, issue, list or revoke' },
      { name: 'words', kind: 'text', summary: 'issue: server or client, and its name; revoke: a name or serial', many: true, optional: true },
    ],
    options: [
      { name: 'dir', value: 'DIR', summary: 'the authority\'s folder (default /etc/vnet/pki)' },
      { name: 'name', value: 'NAME', summary: 'the authority\'s name (default "vnet CA")' },
      { name: 'san', value: 'NAME[,NAME...]', summary: 'what else it is good for: host names, IP addresses' },
      { name: 'days', value: 'N', summary: 'how long it holds (default: CA 3650, others 825)' },
      { name: 'here', summary: 'put its files into the authority\'s own folder, for this host' },
      { name: 'force', summary: 'replace files that are there' },
    ],
    formats: dataFormats,
    run: async (call) => (await import('./pki.js')).runPki(call),
  },
  {
    name: 'proxy', summary: 'carry the daemon\'s socket over stdin and stdout, for vnet+ssh',
    description: 'What vnet on another host runs here through ssh. --readonly takes the socket for reading only. Ends when either side does; ' +
      'with -o json, why the daemon cannot be reached comes as JSON on standard error.',
    options: [{ name: 'socket', value: 'PATH', summary: 'another socket than the daemon\'s default' }],
    formats: ['json'], bare: true,
    run: async (call) => (await import('./proxy.js')).runProxy(call),
  },
  {
    name: 'token', summary: 'make, list and revoke tokens for this host\'s vnetd',
    description: 'With a token a client without a certificate is known to vnetd, over TLS, where vnetd.toml has require_client_certificate = false in [tls]. ' +
      'ACTION is add, list or revoke. It works on the files of this host, as root, and needs no daemon; a running one takes notice within two seconds. ' +
      'add prints the token, once: keep it in a file that only its bearer reads, and name that with ?token-file=FILE or in VNET_TOKEN_FILE.',
    arguments: [
      { name: 'action', kind: 'text', summary: 'add, list or revoke' }, { name: 'name', kind: 'text', summary: 'what the token is called', optional: true },
    ],
    options: [
      { name: 'expires', value: 'TIME', summary: 'how long a new token counts: 12h, 30d (default: until it is revoked)' },
      { name: 'root', value: 'DIR', summary: 'the daemon\'s --root, if it was given one' },
    ],
    formats: dataFormats,
    run: async (call) => (await import('./token.js')).runToken(call),
  },
  {
    name: 'whoami', summary: 'show who the daemon takes one for, and what one may do', formats: dataFormats,
    run: async (call) => (await import('./admin.js')).runWhoami(call),
  },
  {
    name: 'admin clients', summary: 'list who is connected to the daemon', formats: dataFormats,
    run: async (call) => (await import('./admin.js')).runClients(call),
  },
  {
    name: 'admin disconnect', summary: 'end a connection to the daemon', formats: dataFormats,
    description: 'What a call of it is doing to a network is done to its end. A client of vnet connects again by itself: to keep it out, take its rights.',
    arguments: [{ name: 'id', kind: 'text', summary: 'its id, as vnet admin clients shows it' }],
    run: async (call) => (await import('./admin.js')).runDisconnect(call),
  },
  {
    name: 'admin log-level', summary: 'show how much the daemon logs, or let it log more or less', formats: dataFormats,
    description: 'Until it ends; then what its configuration says holds again.',
    arguments: [{ name: 'level', kind: 'text', summary: 'debug, info, warn or error', optional: true }],
    run: async (call) => (await import('./admin.js')).runLogLevel(call),
  },
];

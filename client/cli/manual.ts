/**
 * Lives here: the manual page vnet(1), rendered from the table of commands and
 * the table of exit codes, as roff. Does not know: any command by name.
 */
import { version } from '../../shared/version.js';
import { namesOf, spellingOf, synopsisOf, type Command, type Option } from './command.js';
import { commands, globalOptions } from './commands.js';
import { Exit } from './failure.js';
import { sentence } from './help.js';

/** What each exit code means to a script. */
export const exitMeanings = {
  [Exit.DONE]: 'Done.',
  [Exit.FAILED]: 'Failed.',
  [Exit.USAGE]: 'Bad command line, or bad document.',
  [Exit.NOT_FOUND]: 'No such network or port.',
  [Exit.CONFLICT]: 'The network is in the wrong state, or the name or UUID is taken.',
  [Exit.NOT_PERMITTED]: 'Not permitted.',
  [Exit.UNREACHABLE]: 'The daemon cannot be reached.',
  [Exit.PARTLY]: 'Some of several networks or files failed.',
  [Exit.TIMED_OUT]: 'Timed out.',
  [Exit.INTERRUPTED]: 'Interrupted.',
} satisfies Record<Exit, string>;

/** The records that -o json and -o yaml give, for each kind of command. */
const records: readonly [string, string][] = [
  ['list, info', 'name, uuid, active, persistent, autostart (booleans), bridge (or null), mode (nat, route, open, ..., isolated), addresses (with prefix)'],
  ['start, destroy, undefine, autostart', 'name, uuid, result'],
  ['define, create, edit', 'name, uuid, result, warnings'],
  ['dumpxml', 'name, uuid, xml'],
  ['name, uuid', 'name, uuid'],
  ['leases', 'expires (RFC 3339 in UTC, or null for never), mac, family (ipv4 or ipv6), address, prefix, hostname, clientId, iaid (each null if there is none), interface'],
  ['ports, attach, port-create', 'uuid, network, guest, guestUuid, mac, group, device, plug, bandwidth, vlan (each null if there is none), isolated; warnings of those that make one'],
  ['detach', 'uuid, network, result'],
  ['tune', 'uuid, network, parameters'],
  ['port-dumpxml', 'uuid, network, xml'],
  ['status', 'kind (network or damaged-file); of a network: name, uuid, active, health (healthy or degraded), faults (a list of part, message and since), repairs (a list of part, what, last and count; times are RFC 3339 in UTC); of a damaged file: path, name (of the network that it should define, or null), message, advice (or null)'],
  ['doctor', 'severity (error, warning or ok), check, network, uuid (both null if it concerns the host), message, advice (or null)'],
  ['watch, net-event, leases --watch', 'one record a line, no list: time (RFC 3339 in UTC), event (defined, undefined, started, stopped, updated, autostart-changed, metadata-changed, port-added, port-removed, lease-added, lease-renewed, lease-expired, lease-released, repaired, failed, or resync after a gap), name, uuid (of the network; null with resync), detail, lease (as above), port (its UUID; each null if there is none), epoch, sequence'],
  ['wait-lease', 'address, mac, name, uuid (of the network)'],
  ['release, reserve', 'name, uuid (of the network), address, mac (reserve only), result'],
  ['validate', 'file, name, warnings, and with --print xml'],
  ['pki', 'name, kind (ca, server or client), serial, notBefore and notAfter (RFC 3339), state (valid, expired or revoked), alternativeNames (as DNS:, IP Address:, URI:, email:); folder of what init and issue made'],
  ['whoami, admin clients', 'id, listener (unix, unix-readonly, tcp, tls), readonly, peer, since (RFC 3339 in UTC), identity, kind (socket, unix, certificate, token), uid, user, groups, pid, subject, alternativeNames, fingerprint, token (each null if it is not known), inFlight; whoami also rights: a list of permissions and networks (patterns of names, or null for all)'],
  ['admin disconnect', 'id, result'],
  ['admin log-level', 'level; when it was changed also previous'],
  ['uri', 'uri'],
  ['version', 'client, daemon, driver, hostname, uri'],
];

const uris: readonly [string, string][] = [
  ['vnet:///system', 'This host, through its daemon.'],
  ['vnet+unix:///system?socket=PATH', 'A daemon that listens on another socket.'],
  ['vnet+tls://HOST[:PORT]/system', 'Another host, with certificates (/etc/vnet/pki, or ?pkipath=DIR).'],
  ['vnet+ssh://[USER@]HOST[:PORT]/system', 'Another host, through ssh as you have set it up; vnet has to be installed there. HOST can be a Host of ~/.ssh/config. ' +
    '?socket=PATH: the daemon\'s socket there. ?command=WORDS: what runs vnet there, such as "sudo -n vnet" (default vnet). ?keyfile=PATH: a private key to show, as ssh -i. ' +
    '?known_hosts=PATH: the file with the keys of hosts. ?no_tty=1: ssh asks for nothing (BatchMode). Keys of hosts are always checked.'],
  ['vnet+tcp://HOST[:PORT]/system', 'Another host, without protection: for trusted networks only.'],
  ['vnet:///embed?root=DIR', 'This host without a daemon; its state is kept below DIR.'],
  ['test:///default', 'An imaginary host, new for each command: to try things out.'],
];

const environment: readonly [string, string][] = [
  ['VNET_URI', 'Where to connect, unless -c says.'],
  ['VNET_TOKEN_FILE', 'A file with the token that a vnet+tls URI without token-file is opened with.'],
  ['VISUAL, EDITOR', 'The editor for vnet edit; else vi.'],
];

const examples: readonly [string, string][] = [
  ['vnet list', 'All networks of this host.'],
  ['vnet define lab.xml && vnet autostart lab && vnet start lab', 'A new network that also starts with the host.'],
  ['vnet -c vnet+tls://host7/system leases default', 'Who has an address on a network of another host.'],
  ['vnet stop $(vnet list --active --name)', 'Stop everything.'],
  ['vnet wait-lease default --mac 52:54:00:01:02:03 --timeout 60', 'The address of a guest, as soon as it has one.'],
  ['vnet -c vnet+ssh://root@host7/system list', 'The networks of a host that ssh leads to.'],
  ['vnet pki init && vnet pki issue server $(hostname -f) --here', 'Certificates for this host\'s daemon.'],
  ['vnet list -o json', 'The same for a program.'],
  ['vnet dumpxml lab | sed s/nat/route/ | vnet edit lab', 'Change a definition from a script.'],
];

/** Renders the manual page. */
export function renderManual(): string {
  const shown = commands.filter(({ hidden }) => hidden !== true);
  return [
    `.TH VNET 1 "" "vnet ${version}" "User Commands"`,
    '.SH NAME', 'vnet \\- the virtual networks of a host, here or elsewhere',
    '.SH SYNOPSIS', '.B vnet', `${text('[OPTION]... COMMAND [ARGUMENT]...')}`,
    '.SH DESCRIPTION',
    text('vnet defines, starts, stops and shows virtual networks: bridges with addresses, DHCP and DNS for guests, and a way to the outside.'),
    text('It speaks to vnetd, the daemon of the host, over a local socket or the network.'),
    text('A network is named by its name or its UUID. Where several networks are given, each is tried, and failures are reported one by one.'),
    '.SH OPTIONS', text('They can stand before or after the command.'), ...globalOptions.flatMap(option),
    '.SH COMMANDS', ...shown.flatMap(command),
    '.SH OUTPUT',
    text('With -o json or -o yaml the output is one list of records, even if there is only one; with -o name or -o uuid it is that field of each, one a line. Fields are added, never renamed or removed. The fields are:'),
    ...records.flatMap(([names, fields]) => tagged(names, fields)),
    '.PP', text('Errors are then one line of JSON each on standard error: {"error": {"code", "message", "field", "hints", "problems"}}. ' +
      'The code is libvirt\'s name of the error without VIR_ERR_, or USAGE or FAILED; each problem of a document has file, line, column, path and message.'),
    '.SH URIS', ...uris.flatMap(([uri, meaning]) => tagged(uri, meaning)),
    '.SH ENVIRONMENT', ...environment.flatMap(([name, meaning]) => tagged(name, meaning)),
    '.SH EXIT STATUS', ...Object.entries(exitMeanings).flatMap(([code, meaning]) => tagged(code, meaning)),
    '.SH EXAMPLES', ...examples.flatMap(([line, meaning]) => ['.TP', `.B ${text(line)}`, text(meaning)]),
    '.SH COMING FROM VIRSH',
    text('Every net-* command listed above takes virsh\'s options and prints what virsh prints. What differs: exit codes tell failures apart; ' +
      'a rejected document is reported with every problem, its line and column; several networks can be given at once; ' +
      'net-name and net-uuid take either; net-edit fails if its document is refused. ' +
      'LIBVIRT_DEFAULT_URI is not read.'),
    '.SH FILES', ...tagged('/run/vnet/vnet.sock, /run/vnet/vnet-ro.sock', 'The daemon\'s sockets; the second is for reading only.'),
    ...tagged('/etc/vnet/pki', 'Certificates for vnet+tls: ca.pem, client.pem, client-key.pem; and the authority of vnet pki.'),
    '.SH SEE ALSO', '.BR vnetd (8),', '.BR virsh (1)',
  ].map((line) => `${line}\n`).join('');
}

function option({ summary, ...spelled }: Option): string[] {
  return tagged(spellingOf({ ...spelled, summary }, true), sentence(summary));
}

function command(described: Command): string[] {
  const { aliases = [], summary, description, options = [] } = described;
  return [
    '.TP', ['.B', text(`${described.name} ${synopsisOf(described)}`.trim())].join(' '),
    text(sentence(summary)), ...(description === undefined ? [] : [text(description)]),
    ...(aliases.length === 0 ? [] : [text(`Also: ${namesOf(described).slice(1).join(', ')}.`)]),
    ...(options.length === 0 ? [] : ['.RS', ...options.flatMap(option), '.RE']),
  ];
}

function tagged(tag: string, meaning: string): string[] {
  return ['.TP', `.B ${text(tag)}`, text(meaning)];
}

/** Text that roff must take as it stands: no line is a request, no dash a hyphen. */
function text(words: string): string {
  const escaped = words.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('"', '\\(dq').replaceAll('~', '\\(ti').replaceAll('\'', '\\(aq');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

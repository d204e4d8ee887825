/**
 * Lives here: the table of every command and option of `vnet`. What a command
 * does is in the file its `run` loads, so that help and completion load none
 * of it. To add a command, add an entry here, or in `daemon-commands.ts` if it is
 * about a daemon and not its networks, or in `health-commands.ts` if it tells
 * what is wrong; nothing else lists commands.
 */
import { dataFormats, formats, namesOf, type Argument, type Command, type Option } from './command.js';
import { daemonCommands } from './daemon-commands.js';
import { healthCommands } from './health-commands.js';

/** The options that go with every command. */
export const globalOptions = [
  { name: 'connect', short: 'c', value: 'URI', summary: 'where to connect (else $VNET_URI, else vnet:///system)' },
  { name: 'readonly', short: 'r', summary: 'refuse everything that changes something' },
  { name: 'quiet', short: 'q', summary: 'print results only: no headings, no success messages' },
  { name: 'output', short: 'o', value: 'FORMAT', choices: formats, summary: 'table (default), json, yaml, name or uuid' },
  { name: 'timeout', value: 'SECONDS', summary: 'give a call up after this long (default 30); end waiting' },
  { name: 'verbose', short: 'v', summary: 'say more about errors' },
  { name: 'help', short: 'h', summary: 'show help, for the command if one is given' },
  { name: 'version', short: 'V', summary: 'print the version of vnet' },
] as const satisfies readonly Option[];

const network: Argument = { name: 'network', kind: 'network', summary: 'network name or uuid' };
const networks: Argument = { ...network, many: true };
const file: Argument = { name: 'file', kind: 'file', summary: 'file with the network\'s XML; - reads standard input' };
const validate: Option = { name: 'validate', summary: 'refuse unknown elements and attributes, instead of leaving them out' };
const dryRun: Option = { name: 'dry-run', summary: 'change nothing: show what would be done to the host' };
const affected: readonly Option[] = [
  { name: 'live', summary: 'the running network' },
  { name: 'config', summary: 'the saved definition' },
  { name: 'current', summary: 'the running network, or the saved definition if it is inactive (default)' },
];
const mac: Option = { name: 'mac', value: 'MAC', summary: 'only the lease of this MAC address' };

const listFilters: readonly Option[] = [
  { name: 'inactive', summary: 'list inactive networks' },
  { name: 'all', summary: 'list inactive and active networks' },
  { name: 'persistent', summary: 'list persistent networks' },
  { name: 'transient', summary: 'list transient networks' },
  { name: 'autostart', summary: 'list networks with autostart enabled' },
  { name: 'no-autostart', summary: 'list networks with autostart disabled' },
  { name: 'uuid', summary: 'list UUIDs only' },
  { name: 'name', summary: 'list network names only' },
  { name: 'table', summary: 'list a table (default)' },
];

const port: Argument = { name: 'port', kind: 'port', summary: 'port UUID, device, guest or MAC address' };
const portFormats = ['json', 'yaml', 'uuid'] as const;
const bandwidthOptions: readonly Option[] = [
  { name: 'inbound', value: 'AVERAGE[,PEAK[,BURST[,FLOOR]]]', summary: 'what the guest may receive' },
  { name: 'outbound', value: 'AVERAGE[,PEAK[,BURST]]', summary: 'what the guest may send' },
];
const attachOptions: readonly Option[] = [
  { name: 'tap', summary: 'a tap device for a virtual machine' },
  { name: 'netns', value: 'NS', summary: 'a pair of devices, one in this namespace (a name or a path)' },
  { name: 'device', value: 'NAME', summary: 'the host\'s end (default vnet%d); alone: the device that is there' },
  { name: 'guest-device', value: 'NAME', summary: 'the end in the namespace (default eth0)' },
  { name: 'owner', value: 'ACCOUNT', summary: 'who may open the tap device (default root)' },
  { name: 'owner-group', value: 'GROUP', summary: 'which group may open it (default none)' },
  { name: 'queues', value: 'N', summary: 'its queues (default 1)' },
  { name: 'mac', value: 'MAC', summary: 'the guest\'s MAC address (default 52:54:00 and random)' },
  { name: 'group', value: 'PORTGROUP', summary: 'the network\'s port group' },
  { name: 'guest', value: 'NAME', summary: 'the guest\'s name, for those who ask who uses the network' },
  { name: 'guest-uuid', value: 'UUID', summary: 'the guest\'s UUID (default random)' },
  { name: 'isolated', summary: 'keep it apart from other isolated guests' },
  { name: 'vlan', value: 'ID', summary: 'the VLAN of its frames' },
  ...bandwidthOptions,
];

/** Every command, in the order in which help shows them. */
export const commands: readonly Command[] = [
  {
    name: 'list', summary: 'list networks, active and inactive',
    options: [{ name: 'active', summary: 'list active networks' }, ...listFilters], formats,
    run: async (call) => (await import('./listing.js')).runList(call),
  },
  {
    name: 'net-list', hidden: true, summary: 'list networks as virsh does: active ones, four columns',
    options: listFilters, formats,
    run: async (call) => (await import('./listing.js')).runVirshList(call),
  },
  {
    name: 'info', aliases: ['net-info'], summary: 'show what a network is', arguments: [network], formats,
    run: async (call) => (await import('./listing.js')).runInfo(call),
  },
  {
    name: 'define', aliases: ['net-define'], summary: 'save a network\'s definition, new or changed',
    description: 'A network with the same name and UUID gets the new definition. If it is active, it says which parts wait for its next start.',
    arguments: [file], formats,
    options: [validate, dryRun, { name: 'expect-revision', value: 'N', summary: 'only if the saved definition is at this revision (vnet history)' }],
    run: async (call) => (await import('./documents.js')).runDefine(call),
  },
  {
    name: 'create', aliases: ['net-create'], summary: 'start a network that is gone once it is stopped',
    arguments: [file], options: [validate], formats,
    run: async (call) => (await import('./documents.js')).runCreate(call),
  },
  {
    name: 'start', aliases: ['net-start'], summary: 'start networks',
    arguments: [{ ...networks, filter: { active: false } }], formats,
    run: async (call) => (await import('./lifecycle.js')).runStart(call),
  },
  {
    name: 'destroy', aliases: ['net-destroy', 'stop'], summary: 'stop networks; their definitions stay',
    description: 'A transient network is gone afterwards. A network that guests are plugged into is stopped only with --force: ' +
      'they lose their connection until it starts again.',
    arguments: [{ ...networks, filter: { active: true } }], options: [{ name: 'force', summary: 'stop them even if guests are plugged in' }], formats,
    run: async (call) => (await import('./lifecycle.js')).runDestroy(call),
  },
  {
    name: 'undefine', aliases: ['net-undefine'], summary: 'forget networks\' definitions',
    description: 'An active network runs on as a transient one.',
    arguments: [{ ...networks, filter: { persistent: true } }], formats,
    run: async (call) => (await import('./lifecycle.js')).runUndefine(call),
  },
  {
    name: 'autostart', aliases: ['net-autostart'], summary: 'start networks with the host',
    arguments: [{ ...networks, filter: { persistent: true } }], options: [{ name: 'disable', summary: 'do not start them with the host' }], formats,
    run: async (call) => (await import('./lifecycle.js')).runAutostart(call),
  },
  {
    name: 'dumpxml', aliases: ['net-dumpxml'], summary: 'print a network\'s definition as XML',
    arguments: [network], options: [{ name: 'inactive', summary: 'the saved definition, even if the network is active' }], formats,
    run: async (call) => (await import('./documents.js')).runDumpXml(call),
  },
  {
    name: 'edit', aliases: ['net-edit'], summary: 'edit a network\'s definition',
    description: 'Opens the saved definition in $VISUAL, $EDITOR or vi, and defines what is written. ' +
      'If standard input is no terminal, it is read as the new definition. Of an active network it says which parts wait for its next start.',
    arguments: [{ ...network, filter: { persistent: true } }], formats,
    run: async (call) => (await import('./edit.js')).runEdit(call),
  },
  {
    name: 'history', summary: 'list the revisions of a network\'s saved definition',
    description: 'The one in force first. How many earlier ones are kept is said in vnetd.toml: [history] keep.',
    arguments: [{ ...network, filter: { persistent: true } }], formats: dataFormats,
    options: [{ name: 'xml', value: 'REV', summary: 'print the definition of this revision' }],
    run: async (call) => (await import('./history.js')).runHistory(call),
  },
  {
    name: 'rollback', summary: 'save an earlier revision of a network\'s definition again',
    description: 'As a new revision, and only if nobody changes it meanwhile. Of an active network it says which parts wait for its next start.',
    arguments: [
      { ...network, filter: { persistent: true } }, { name: 'revision', kind: 'text', summary: 'which one (default: the one before)', optional: true },
    ],
    options: [dryRun], formats,
    run: async (call) => (await import('./history.js')).runRollback(call),
  },
  {
    name: 'backup', summary: 'write all saved definitions to one file that a person can read',
    description: 'With their autostart marks and revisions, as YAML. What is only running is not in it.',
    arguments: [{ ...file, summary: 'the file; - or none writes standard output', optional: true }], formats: dataFormats,
    run: async (call) => (await import('./backup.js')).runBackup(call),
  },
  {
    name: 'restore', summary: 'define the networks of a backup again',
    description: 'Looks at all of them before it changes any, and changes none if one is refused. Starts and stops nothing; ' +
      'networks that are not in the file are left alone.',
    arguments: [{ ...file, summary: 'the backup; - reads standard input' }],
    options: [{ name: 'dry-run', summary: 'change nothing: say what would be done' }], formats: dataFormats,
    run: async (call) => (await import('./backup.js')).runRestore(call),
  },
  {
    name: 'update', aliases: ['net-update'], summary: 'change one part of a network, without a restart',
    description: 'COMMAND is add-first, add-last (add), delete or modify. SECTION is domain, ip, ip-dhcp-host, ip-dhcp-range, forward-interface, portgroup, ' +
      'dns-host, dns-txt or dns-srv. XML is a file, - for standard input, or the element itself, if it starts with <.',
    arguments: [
      network, { name: 'command', kind: 'text', summary: 'what to do with the part' }, { name: 'section', kind: 'text', summary: 'which part' },
      { name: 'xml', kind: 'file', summary: 'the element, or a file with it' },
    ],
    options: [{ name: 'parent-index', value: 'NUMBER', summary: 'for the DHCP sections: which <ip>, from 0' }, ...affected, dryRun], formats,
    run: async (call) => (await import('./update.js')).runUpdate(call),
  },
  {
    name: 'desc', aliases: ['net-desc'], summary: 'show or set a network\'s description or title',
    arguments: [network, { name: 'new-desc', kind: 'text', summary: 'the new text; empty removes it', many: true, optional: true, empty: true }],
    options: [...affected, { name: 'title', summary: 'the title instead of the description' }, { name: 'edit', summary: 'edit the text in an editor' }], formats,
    run: async (call) => (await import('./metadata.js')).runDesc(call),
  },
  {
    name: 'metadata', aliases: ['net-metadata'], summary: 'show or set the XML that a program keeps with a network',
    arguments: [network, { name: 'uri', kind: 'text', summary: 'the URI of the program\'s namespace' }],
    options: [
      ...affected, { name: 'edit', summary: 'edit it in an editor' }, { name: 'key', value: 'STRING', summary: 'the prefix that the namespace gets' },
      { name: 'set', value: 'STRING', summary: 'the new XML element' }, { name: 'remove', summary: 'remove the element' },
    ],
    formats,
    run: async (call) => (await import('./metadata.js')).runMetadata(call),
  },
  {
    name: 'name', aliases: ['net-name'], summary: 'print a network\'s name', arguments: [network], formats,
    run: async (call) => (await import('./listing.js')).runName(call),
  },
  {
    name: 'uuid', aliases: ['net-uuid'], summary: 'print a network\'s UUID', arguments: [network], formats,
    run: async (call) => (await import('./listing.js')).runUuid(call),
  },
  {
    name: 'leases', summary: 'list the DHCP leases of a network, times with zone',
    description: 'With --watch what happens to them is told afterwards, until Ctrl-C or --timeout ends it; with -o json only that, one record a line.',
    arguments: [{ ...network, filter: { active: true } }], options: [mac, { name: 'watch', summary: 'go on telling what happens to leases' }], formats: dataFormats,
    run: async (call) => (await import('./leases.js')).runLeases(call),
  },
  {
    name: 'net-dhcp-leases', hidden: true, summary: 'list the DHCP leases of a network as virsh does',
    arguments: [{ ...network, filter: { active: true } }], options: [mac], formats: dataFormats,
    run: async (call) => (await import('./leases.js')).runVirshLeases(call),
  },
  {
    name: 'ports', summary: 'list the ports of a network: which guest sits where',
    arguments: [{ ...network, filter: { active: true } }], formats: portFormats,
    run: async (call) => (await import('./ports.js')).runPorts(call),
  },
  {
    name: 'net-port-list', hidden: true, summary: 'list the ports of a network as virsh does',
    arguments: [{ ...network, filter: { active: true } }],
    options: [{ name: 'uuid', summary: 'list UUIDs only' }, { name: 'table', summary: 'list a table (default)' }], formats: portFormats,
    run: async (call) => (await import('./ports.js')).runVirshPorts(call),
  },
  {
    name: 'attach', summary: 'plug a guest into a network',
    description: 'Makes a port and the guest\'s device: with --tap a tap device for a virtual machine, with --netns a pair of devices, one of ' +
      'them in a container\'s namespace; with --device alone a device that is there, such as Xen\'s vif1.0. With -q it prints the device\'s name alone.',
    arguments: [{ ...network, filter: { active: true } }], options: attachOptions, formats: portFormats,
    run: async (call) => (await import('./attach.js')).runAttach(call),
  },
  {
    name: 'detach', aliases: ['net-port-delete', 'port-delete'], summary: 'take a guest off a network',
    description: 'A device that was made for the guest is removed; one that was there is left.',
    arguments: [network, port], formats: portFormats,
    run: async (call) => (await import('./attach.js')).runDetach(call),
  },
  {
    name: 'tune', summary: 'show or change the bandwidth of a port',
    description: 'Numbers are kilobytes a second, burst KiB. Without an option it shows what is set; a direction that is not given stays as it is.',
    arguments: [network, port], options: bandwidthOptions.map(({ summary, ...option }) => ({ ...option, summary: `${summary}; none: no limit` })), formats: portFormats,
    run: async (call) => (await import('./attach.js')).runTune(call),
  },
  {
    name: 'port-create', aliases: ['net-port-create'], summary: 'create a port from XML; the caller plugs the guest in',
    arguments: [{ ...network, filter: { active: true } }, { ...file, summary: 'file with the port\'s XML; - reads standard input' }],
    options: [validate, { name: 'reclaim', summary: 'the guest runs already, on the plug that the file names' }], formats: portFormats,
    run: async (call) => (await import('./attach.js')).runPortCreate(call),
  },
  {
    name: 'port-dumpxml', aliases: ['net-port-dumpxml'], summary: 'print a port as XML', arguments: [network, port], formats: portFormats,
    run: async (call) => (await import('./ports.js')).runPortDumpXml(call),
  },
  ...healthCommands,
  {
    name: 'wait-lease', summary: 'wait until a guest has an address, and print it',
    description: 'It waits until there is one, or until --timeout ends it.',
    arguments: [{ ...network, filter: { active: true } }, { name: 'mac', kind: 'text', summary: 'the guest\'s MAC address' }], formats: dataFormats,
    run: async (call) => (await import('./watch.js')).runWaitLease(call),
  },
  {
    name: 'release', summary: 'take a leased address back, so that another guest can get it',
    description: 'The guest is not told: it keeps using the address until it asks again.',
    arguments: [{ ...network, filter: { active: true } }, { name: 'address', kind: 'text', summary: 'the leased address' }], formats,
    run: async (call) => (await import('./addresses.js')).runRelease(call),
  },
  {
    name: 'reserve', summary: 'let a guest keep the address that it has a lease of',
    description: 'Now and after a restart; of a transient network as long as it is there.',
    arguments: [{ ...network, filter: { active: true } }, { name: 'lease', kind: 'text', summary: 'the leased address, or the guest\'s MAC address' }],
    options: [{ name: 'name', value: 'HOSTNAME', summary: 'the guest\'s name (else the one that it gave)' }], formats,
    run: async (call) => (await import('./addresses.js')).runReserve(call),
  },
  {
    name: 'watch', summary: 'tell what happens to networks, as it happens',
    description: 'Until Ctrl-C, --count or --timeout ends it. A lost connection is made again; after a gap the line "-- resync --" says that events were missed. ' +
      'With -o json each event is one record on a line of its own.',
    arguments: [{ ...network, optional: true }],
    options: [
      { name: 'event', value: 'KIND[,KIND...]', summary: 'only these: lifecycle, lease, port, started, failed, ...' },
      { name: 'count', value: 'N', summary: 'end after this many' },
    ],
    formats: ['json'],
    run: async (call) => (await import('./watch.js')).runWatch(call),
  },
  {
    name: 'net-event', hidden: true, summary: 'list event types, or wait for network events to occur, as virsh does',
    arguments: [{ ...network, optional: true }],
    options: [
      { name: 'event', value: 'TYPE', summary: 'which event type to wait for' },
      { name: 'loop', summary: 'loop until timeout or interrupt, rather than one-shot' },
      { name: 'list', summary: 'list valid event types' },
      { name: 'timestamp', summary: 'show timestamp for each printed event' },
    ],
    formats: ['json'],
    run: async (call) => (await import('./watch.js')).runNetEvent(call),
  },
  {
    name: 'validate', summary: 'check definitions, without a daemon',
    description: 'Reports every problem of each file with its line and column.',
    arguments: [{ ...file, many: true }],
    options: [
      { name: 'print', summary: 'print each definition in canonical form' },
      { name: 'strict', summary: 'refuse unknown elements and attributes' },
    ],
    formats: dataFormats,
    run: async (call) => (await import('./validate.js')).runValidate(call),
  },
  ...daemonCommands,
  {
    name: 'uri', summary: 'print the URI that vnet connects to', formats: dataFormats,
    run: async (call) => (await import('./about.js')).runUri(call),
  },
  {
    name: 'version', summary: 'print the versions of vnet and of the daemon', formats: dataFormats,
    run: async (call) => (await import('./about.js')).runVersion(call),
  },
  {
    name: 'help', summary: 'show help', arguments: [{ name: 'command', kind: 'command', summary: 'the command to explain', many: true, optional: true }], bare: true,
    run: async (call) => (await import('./about.js')).runHelp(call),
  },
  {
    name: 'completion', summary: 'print the completion script of a shell', bare: true,
    description: 'bash: eval "$(vnet completion bash)" in ~/.bashrc. zsh: eval "$(vnet completion zsh)" after compinit. ' +
      'fish: vnet completion fish > ~/.config/fish/completions/vnet.fish',
    arguments: [{ name: 'shell', kind: 'shell', summary: 'bash, zsh or fish' }],
    run: async (call) => (await import('./completion.js')).runCompletion(call),
  },
  {
    name: 'man', summary: 'print the manual page vnet(1)', bare: true,
    description: 'To read it: vnet man | man -l -',
    run: async (call) => (await import('./about.js')).runMan(call),
  },
  {
    name: '__complete', hidden: true, bare: true, summary: 'print what can stand in place of the last word',
    arguments: [{ name: 'words', kind: 'text', summary: 'the command line so far', many: true, optional: true }],
    run: async (call) => (await import('./completion.js')).runComplete(call),
  },
];

/** The second words of the commands that begin with this one: `clients` with `admin`. */
export function familyOf(word: string): string[] {
  return commands.flatMap(namesOf).filter((name) => name.startsWith(`${word} `)).map((name) => name.slice(word.length + 1));
}

/** The command that goes by a name. */
export function findCommand(name: string): Command | undefined {
  return commands.find((command) => namesOf(command).includes(name));
}

/**
 * Lives here: what a driver is interrupted in by the crash test: for each
 * operation what is there before, and the call. Does not know: who interrupts.
 */
import type { Connection } from '../../client/connection.js';

/** The network that is operated on. */
export const name = 'crash';
export const bridge = 'lab-crash';
const uuid = '4b6bd1a5-3c5e-4f0e-9fc0-000000000001';
const port = '4b6bd1a5-3c5e-4f0e-9fc0-0000000000a1';

const document = (domain: string) => `<network><name>${name}</name><uuid>${uuid}</uuid><forward mode='nat'/>
  <bridge name='${bridge}' stp='off' delay='0'/><mac address='52:54:00:11:0c:01'/><domain name='${domain}'/><bandwidth><inbound average='4000'/></bandwidth>
  <ip address='192.168.181.1' prefix='24'><dhcp><range start='192.168.181.10' end='192.168.181.20'/></dhcp></ip>
  <ip family='ipv6' address='fd00:181::1' prefix='64'/></network>`;
const portXml = `<networkport><uuid>${port}</uuid><owner><name>guest</name><uuid>4b6bd1a5-3c5e-4f0e-9fc0-0000000000b1</uuid></owner>
  <mac address='52:54:00:22:0c:01'/></networkport>`;

/** The network that is up all the time, and is nobody's business. */
export const bystander = {
  name: 'bystander', bridge: 'lab-by',
  xml: `<network><name>bystander</name><uuid>4b6bd1a5-3c5e-4f0e-9fc0-000000000002</uuid><forward mode='nat'/>
    <bridge name='lab-by' stp='off' delay='0'/><mac address='52:54:00:11:0c:02'/>
    <ip address='192.168.182.1' prefix='24'><dhcp><range start='192.168.182.10' end='192.168.182.20'/></dhcp></ip></network>`,
};

/** One operation. */
export interface Operation {
  /** Makes what is there before. */
  prepare(connection: Connection): Promise<unknown>;
  /** The call; absent: the start of the driver itself. */
  call?: (connection: Connection) => Promise<unknown>;
  /** What is there after a crash is always the new state: the next daemon ends what this one began. */
  goesOn?: boolean;
  /** Where it fails, something may be done already: it is done in full by doing it again. */
  doneAgain?: boolean;
}

const find = (connection: Connection) => connection.lookupByName(name);
const defined = (connection: Connection) => connection.defineXml(document('old.test'));
const started = async (connection: Connection) => (await defined(connection)).network.start();
const plug = async (connection: Connection) => (await find(connection)).createPort(portXml, { attachment: { tap: { device: 'lab-tap' } } });
const plugged = async (connection: Connection) => { await started(connection); await plug(connection); };
const everywhere = { live: true, config: true };
const change = (section: 'ip' | 'ip-dhcp-host' | 'domain', command: 'add-last' | 'modify', xml: string) =>
  async (connection: Connection) => (await find(connection)).update({ command, section, xml }, everywhere);

/** Every operation that changes something. */
export const operations: Record<string, Operation> = {
  'a definition': { prepare: async () => undefined, call: defined },
  'a new definition of a network': { prepare: defined, call: (connection) => connection.defineXml(document('new.test')) },
  'a start': { prepare: defined, call: async (connection) => (await find(connection)).start() },
  'a start without a definition': { prepare: async () => undefined, call: (connection) => connection.createXml(document('old.test')) },
  'a start with a port that is kept': {
    prepare: async (connection) => { await plugged(connection); await (await find(connection)).destroy({ force: true }); },
    call: async (connection) => (await find(connection)).start(),
  },
  'a stop': { prepare: started, call: async (connection) => (await find(connection)).destroy(), doneAgain: true },
  'a stop with a port in use': { prepare: plugged, call: async (connection) => (await find(connection)).destroy({ force: true }), doneAgain: true },
  'a stop without a definition': { prepare: (connection) => connection.createXml(document('old.test')), call: async (connection) => (await find(connection)).destroy(), doneAgain: true },
  'a new host for DHCP': { prepare: started, call: change('ip-dhcp-host', 'add-last', "<host mac='52:54:00:22:00:07' name='seven' ip='192.168.181.77'/>") },
  'a new domain': { prepare: started, call: change('domain', 'modify', "<domain name='new.test'/>") },
  'a new address': { prepare: started, call: change('ip', 'add-last', "<ip address='192.168.183.1' prefix='24'/>") },
  'a title': { prepare: started, call: async (connection) => (await find(connection)).setTitle('new', everywhere) },
  'autostart': { prepare: defined, call: async (connection) => (await find(connection)).setAutostart(true) },
  'no autostart': {
    prepare: async (connection) => (await defined(connection)).network.setAutostart(true),
    call: async (connection) => (await find(connection)).setAutostart(false),
  },
  'an end of a definition': {
    prepare: async (connection) => (await defined(connection)).network.setAutostart(true),
    call: async (connection) => (await find(connection)).undefine(),
  },
  'an end of a definition of a network that is up': { prepare: started, call: async (connection) => (await find(connection)).undefine() },
  'a new port': { prepare: started, call: plug },
  'a port less': { prepare: plugged, call: async (connection) => (await (await find(connection)).lookupPort(port)).delete(), doneAgain: true },
  'a bandwidth of a port': {
    prepare: plugged,
    call: async (connection) => (await (await find(connection)).lookupPort(port)).setParameters({ 'inbound.average': 500 }),
  },
  'a start with the host': { prepare: async (connection) => (await defined(connection)).network.setAutostart(true), goesOn: true },
};

/**
 * Lives here: the commands that show a network's ports and find one by what
 * was typed. Does not know: how ports are made. Names of guests are others'
 * words and never trusted.
 */
import { canonicalMac, canonicalUuid } from '../../shared/address.js';
import { formatPciAddress, parseNetworkPort, type NetworkPortDefinition } from '../../shared/definition/index.js';
import type { Network } from '../network.js';
import type { NetworkPort, PortDescription } from '../port.js';
import type { Call } from './call.js';
import { escapeLine, escapeXml } from './escape.js';
import { attempt, Exit, Failure, UsageError } from './failure.js';
import type { OutputRecord } from './output.js';
import { didYouMean } from './suggest.js';
import { renderTable } from './table.js';

/** A port with all that can be shown of it. */
export interface ShownPort extends PortDescription {
  port: NetworkPort;
  definition: NetworkPortDefinition;
}

/** `vnet ports`: who sits where. */
export async function runPorts(call: Call): Promise<void> {
  const network = await call.network(call.word('network'));
  const ports = await attempt(`Failed to list the ports of network ${network.name}`, () => portsOf(network));
  for (const shown of ports) call.print('', recordOf(shown));
  call.print(renderTable(['UUID', 'Guest', 'MAC address', 'Device', 'Plugged into', 'Group'], ports.map(({ port, definition, device }) => [
    port.uuid, definition.owner.name, definition.mac, device ?? '-', plugWords(definition), definition.group ?? '-',
  ]), { quiet: call.quiet }));
}

/** `vnet net-port-list`: to the byte what virsh prints. */
export async function runVirshPorts(call: Call): Promise<void> {
  if (call.flag('table') && call.flag('uuid')) throw new UsageError('Only one argument from --table and --uuid may be specified.');
  const network = await call.network(call.word('network'));
  const ports = await network.ports();
  for (const { uuid } of ports) call.print('', { uuid });
  if (call.flag('uuid')) call.print(ports.map(({ uuid }) => `${escapeLine(uuid)}\n`).join(''));
  else call.print(renderTable(['UUID'], ports.map(({ uuid }) => [uuid]), { quiet: call.quiet }));
}

/** `vnet port-dumpxml`. */
export async function runPortDumpXml(call: Call): Promise<void> {
  const port = await findPort(await call.network(call.word('network')), call.word('port'));
  const xml = await port.xml();
  call.print(call.surroundings.stdout.isTTY === true ? escapeXml(xml) : xml, { uuid: port.uuid, network: port.network.name, xml });
}

/**
 * Finds a port by its UUID, or by its device, its guest or its MAC address.
 *
 * @throws {Failure} in virsh's words; also if several ports fit
 */
export async function findPort(network: Network, word: string): Promise<NetworkPort> {
  const what = `failed to get network port '${word}'`;
  if (canonicalUuid(word) !== undefined) return attempt(what, () => network.lookupPort(word));
  const ports = await attempt(what, () => portsOf(network));
  const mac = canonicalMac(word);
  const fitting = ports.filter(({ device, definition }) => device === word || definition.owner.name === word || definition.mac === mac);
  const [found] = fitting;
  if (found === undefined) {
    const known = ports.flatMap(({ device, definition }) => [...device === undefined ? [] : [device], definition.owner.name]);
    throw new Failure(what, { exit: Exit.NOT_FOUND, hint: didYouMean(word, known) ?? `a port is named by its UUID, device, guest or MAC address: vnet ports ${network.name}` });
  }
  if (fitting.length > 1) throw new Failure(what, { exit: Exit.USAGE, hint: `${fitting.length} ports fit; name one by its UUID: vnet ports ${network.name}` });
  return found.port;
}

/** Every port of a network with what can be shown of it. */
export async function portsOf(network: Network): Promise<ShownPort[]> {
  return Promise.all((await network.ports()).map(async (port) => {
    const description = await port.describe();
    return { port, ...description, definition: parseNetworkPort(description.xml).definition };
  }));
}

/** A port as programs see it. The fields and their meaning are documented in the manual page: they stay. */
export function recordOf({ port, device, definition }: Pick<ShownPort, 'port' | 'device' | 'definition'>): OutputRecord {
  const { owner, mac, group, plug, bandwidth, vlan, port: flags } = definition;
  return {
    uuid: port.uuid, network: port.network.name, guest: owner.name, guestUuid: owner.uuid, mac, group: group ?? null, device: device ?? null,
    plug: plug ?? null, bandwidth: bandwidth ?? null, vlan: vlan ?? null, isolated: flags?.isolated ?? false,
  };
}

function plugWords({ plug }: NetworkPortDefinition): string {
  switch (plug?.type) {
    case undefined: return '-';
    case 'network': case 'bridge': return plug.bridge;
    case 'direct': return `${plug.dev} (${plug.mode})`;
    case 'hostdev-pci': return formatPciAddress(plug.address);
  }
}

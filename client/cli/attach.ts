/**
 * Lives here: the commands that make a port, change its bandwidth and take it
 * away. Does not know: what a network decides about a port.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { canonicalMac } from '../../shared/address.js';
import { formatNetworkPort, parseNetworkPort, type Bandwidth, type BandwidthDirection, type NetworkPortDefinition } from '../../shared/definition/index.js';
import type { AttachmentRequest, PortOptions, PortParameters } from '../port.js';
import type { Call } from './call.js';
import { readDocument } from './document-file.js';
import { escapeLine } from './escape.js';
import { attempt, UsageError } from './failure.js';
import { findPort, recordOf } from './ports.js';
import { renderField } from './table.js';

/** The order of the numbers in `--inbound`; virsh's. */
const rates = ['average', 'peak', 'burst', 'floor'] as const;

/** `vnet attach`: a port, and the guest's device with it. */
export async function runAttach(call: Call): Promise<void> {
  const attachment = attachmentOf(call);
  const definition = definitionOf(call, attachment);
  const network = await call.network(call.word('network'));
  const { port, xml, device = '', warnings } = await attempt(`Failed to attach a guest to network ${network.name}`,
    () => network.createPort(formatNetworkPort(definition), { attachment }));
  for (const warning of warnings) call.warn(warning);
  const record = { ...recordOf({ port, device, definition: parseNetworkPort(xml).definition }), warnings };
  // A script wants the name that the device got.
  call.print(call.quiet ? `${escapeLine(device)}\n` : escapeLine(`Device ${device} attached to network ${network.name} as port ${port.uuid}`) + '\n', record);
}

/** `vnet port-create`. */
export async function runPortCreate(call: Call): Promise<void> {
  const network = await call.network(call.word('network'));
  const { text, label } = await readDocument(call.word('file'), call.surroundings.stdin);
  const options: PortOptions = { validate: call.flag('validate'), reclaim: call.flag('reclaim') };
  const { port, xml, warnings } = await attempt(`Failed to create network port from ${label}`, () => network.createPort(text, options), { file: label });
  for (const warning of warnings) call.warn(warning);
  call.announce(`Network port ${port.uuid} created from ${label}`, { ...recordOf({ port, definition: parseNetworkPort(xml).definition }), warnings });
}

/** `vnet detach`. */
export async function runDetach(call: Call): Promise<void> {
  const network = await call.network(call.word('network'));
  const word = call.word('port');
  const port = await findPort(network, word);
  await attempt(`Failed to delete network port ${word}`, () => port.delete());
  call.announce(`Network port ${port.uuid} deleted`, { uuid: port.uuid, network: network.name, result: 'deleted' });
}

/** `vnet tune`: shows a port's bandwidth, or changes the directions that are given. */
export async function runTune(call: Call): Promise<void> {
  const network = await call.network(call.word('network'));
  const asked = (['inbound', 'outbound'] as const).flatMap((direction) => {
    const value = call.value(direction);
    return value === undefined ? [] : [{ direction, limits: value === 'none' ? undefined : directionOf(direction, value) }];
  });
  const port = await findPort(network, call.word('port'));
  const before = await attempt('Unable to get interface parameters', () => port.parameters());
  if (asked.length === 0) {
    call.print(Object.entries(before).map(([name, value]) => renderField(name, String(value))).join(''), { uuid: port.uuid, network: network.name, parameters: before });
    return;
  }
  const parameters = changed(before, asked);
  await attempt('Unable to set interface parameters', () => port.setParameters(parameters));
  call.announce(`Bandwidth of network port ${port.uuid} changed`, { uuid: port.uuid, network: network.name, parameters });
}

/** The directions that were not given stay as they are. */
function changed(before: PortParameters, asked: { direction: keyof Bandwidth; limits: BandwidthDirection | undefined }[]): PortParameters {
  const after = Object.entries(before).filter(([name]) => !asked.some(({ direction }) => name.startsWith(`${direction}.`)));
  const given = asked.flatMap(({ direction, limits = {} }) => Object.entries(limits).map(([name, value]): [string, number] => [`${direction}.${name}`, value]));
  return Object.fromEntries([...after, ...given]);
}

function attachmentOf(call: Call): AttachmentRequest {
  const [isTap, netns, device] = [call.flag('tap'), call.value('netns'), call.value('device')];
  if (isTap && netns !== undefined) throw new UsageError('Options --tap and --netns are mutually exclusive');
  const named = device === undefined ? {} : { device };
  const [owner, group, queues, guestDevice] = ['owner', 'owner-group', 'queues', 'guest-device'].map((name) => call.value(name));
  if (!isTap && (owner ?? group ?? queues) !== undefined) throw new UsageError('--owner, --owner-group and --queues are for --tap');
  if (netns === undefined && guestDevice !== undefined) throw new UsageError('--guest-device is for --netns');
  if (isTap) {
    return { tap: { ...named, ...(owner === undefined ? {} : { owner }), ...(group === undefined ? {} : { group }), ...(queues === undefined ? {} : { queues: whole('--queues', queues) }) } };
  }
  if (netns !== undefined) return { veth: { netns, ...named, ...(guestDevice === undefined ? {} : { guestDevice }) } };
  if (device === undefined) throw new UsageError('what to attach is missing: --tap, --netns NS, or --device NAME of a device that is there', 'vnet help attach');
  return { existing: { device } };
}

function definitionOf(call: Call, attachment: AttachmentRequest): NetworkPortDefinition {
  const asked = call.value('mac');
  if (asked === undefined && 'existing' in attachment) throw new UsageError('the guest\'s MAC address is missing: --mac MAC');
  const mac = asked === undefined ? randomMac() : canonicalMac(asked);
  if (mac === undefined) throw new UsageError(`--mac cannot be '${String(asked)}'`, 'it can be six groups of hex digits: 52:54:00:12:34:56');
  const [group, vlan] = [call.value('group'), call.value('vlan')];
  const bandwidth = bandwidthOf(call);
  return {
    uuid: randomUUID(), mac,
    owner: { name: call.value('guest') ?? call.value('netns') ?? call.value('device') ?? mac, uuid: call.value('guest-uuid') ?? randomUUID() },
    ...(group === undefined ? {} : { group }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(vlan === undefined ? {} : { vlan: { tags: [{ id: whole('--vlan', vlan) }] } }),
    ...(call.flag('isolated') ? { port: { isolated: true } } : {}),
  };
}

function bandwidthOf(call: Call): Bandwidth | undefined {
  const [inbound, outbound] = [call.value('inbound'), call.value('outbound')];
  if (inbound === undefined && outbound === undefined) return undefined;
  return {
    ...(inbound === undefined ? {} : { inbound: directionOf('inbound', inbound) }),
    ...(outbound === undefined ? {} : { outbound: directionOf('outbound', outbound) }),
  };
}

/** `1000`, `1000,2000`, `1000,2000,128`: average, peak, burst, and inbound a floor. What is 0 is not limited. */
function directionOf(direction: 'inbound' | 'outbound', text: string): BandwidthDirection {
  const numbers = text.split(',');
  const most = direction === 'inbound' ? 4 : 3;
  if (numbers.length > most) throw new UsageError(`--${direction} takes at most ${most} numbers: ${rates.slice(0, most).join(',')}`);
  return Object.fromEntries(numbers.map((number, i) => [rates[i]!, whole(`--${direction}`, number)] as const).filter(([, value]) => value !== 0));
}

function whole(option: string, text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new UsageError(`${option} takes whole numbers, not '${text}'`);
  return Number(text);
}

/** A MAC address in the range that QEMU and libvirt use. */
function randomMac(): string {
  return `52:54:00:${randomBytes(3).toString('hex').replace(/(..)(?!$)/g, '$1:')}`;
}

/**
 * Lives here: updates of the parts a network has of itself: addresses,
 * forward devices and port groups. Does not know: DHCP, DNS.
 */
import { describeMode } from '../modes.js';
import type { Forward } from '../forward.js';
import { forwardInterface } from '../forward.js';
import { familyOfIp, ip as ipElement, servesDhcp } from '../ip.js';
import type { NetworkDefinition } from '../network.js';
import { openPart, parsePart, readPart } from '../parse.js';
import { portGroup, type PortGroup } from '../port-group.js';
import { added, adds, clash, describePart, refuseCommand, refuseModify, replaced, without, type SectionUpdate } from './section.js';

/** `ip`: a whole address with what is served on it, known by the address. Libvirt refuses this section. */
export const updateIp: SectionUpdate = (definition, update) => {
  const { name, ips } = definition;
  const opened = openPart(update.xml, 'ip');
  refuseModify(update, 'addresses');
  const ip = readPart(opened, ipElement);
  const found = ips.findIndex(({ address }) => address === ip.address);
  const text = describePart('ip', { address: ip.address });
  if (adds(update)) {
    if (found >= 0) throw clash(`there is an existing ip entry in network '${name}' that matches "${text}"`);
    if (servesDhcp(ip) && ips.some((other) => familyOfIp(other) === familyOfIp(ip) && servesDhcp(other))) {
      throw clash(`dhcp is supported only for a single ${familyOfIp(ip) === 'ipv4' ? 'IPv4' : 'IPv6'} address on each network`);
    }
    return { ...definition, ips: added(ips, ip, update) };
  }
  if (update.command !== 'delete') refuseCommand(update);
  if (found < 0) throw clash(`couldn't find an ip entry in network '${name}' matching ${text}`);
  return { ...definition, ips: without(ips, found) };
};

/** `forward-interface`: known by its name. */
export const updateForwardInterface: SectionUpdate = (definition, update) => {
  const { name, forward } = definition;
  const opened = openPart(update.xml, 'interface');
  refuseModify(update, 'forward interface entries');
  const { value: device } = readPart(opened, forwardInterface);
  if (!adds(update) && update.command !== 'delete') refuseCommand(update);
  const text = describePart('interface', { dev: device });
  if (forward === undefined) throw clash(`couldn't update the forward interfaces of network '${name}': ${describeMode(definition)} has none`);
  const found = forward.interfaces.indexOf(device);
  if (adds(update)) {
    if (found >= 0) throw clash(`there is an existing interface entry in network '${name}' that matches "${text}"`);
    return withInterfaces(definition, forward, added(forward.interfaces, device, update));
  }
  if (found < 0) throw clash(`couldn't find an interface entry in network '${name}' matching ${text}`);
  return withInterfaces(definition, forward, without(forward.interfaces, found));
};

/** `dev` is always the first interface, and absent without any. */
function withInterfaces(definition: NetworkDefinition, { dev: _, ...forward }: Forward, interfaces: string[]): NetworkDefinition {
  const [first] = interfaces;
  return { ...definition, forward: { ...forward, interfaces, ...(first === undefined ? {} : { dev: first }) } };
}

/** `portgroup`: known by its name. */
export const updatePortGroup: SectionUpdate = (definition, update) => {
  const { name, portGroups } = definition;
  const group: PortGroup = parsePart(update.xml, portGroup);
  const found = portGroups.findIndex((other) => other.name === group.name);
  const text = describePart('portgroup', { name: group.name });
  if (found < 0 && (update.command === 'modify' || update.command === 'delete')) {
    throw clash(`couldn't find a portgroup entry in network '${name}' matching ${text}`);
  }
  if (found >= 0 && adds(update)) throw clash(`there is an existing portgroup entry in network '${name}' that matches "${text}"`);
  const otherDefault = portGroups.some((other, index) => other.default === true && index !== found);
  if (update.command !== 'delete' && group.default === true && otherDefault) {
    throw clash(`a different portgroup entry in network '${name}' is already set as the default. Only one default is allowed.`);
  }
  if (update.command === 'delete') return { ...definition, portGroups: without(portGroups, found) };
  if (update.command === 'modify') return { ...definition, portGroups: replaced(portGroups, found, group) };
  if (!adds(update)) refuseCommand(update);
  return { ...definition, portGroups: added(portGroups, group, update) };
};

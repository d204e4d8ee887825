/**
 * Lives here: from a definition to libvirt's canonical document. Does not
 * know: any element but the two that carry live counters.
 */
import { namespaces } from './codec/element.js';
import { network, type NetworkDefinition } from './network.js';
import { childElements, findAttribute, type XmlElement } from './xml/tree.js';
import { writeXml } from './xml/write.js';

/** What a live network's document says beyond its definition. */
export interface FormatOptions {
  /** Guests' ports on the network; printed if above 0. */
  connections?: number;
  /** Guests' ports on each device of the forward pool, by its name. */
  interfaceConnections?: ReadonlyMap<string, number>;
}

/** Writes a network's document, as libvirt prints it. */
export function formatNetwork(definition: NetworkDefinition, options: FormatOptions = {}): string {
  const root = network.write(definition);
  if ((options.connections ?? 0) > 0) root.attributes.unshift({ name: 'connections', value: String(options.connections), offset: -1 });
  const used = Object.entries(namespaces).filter(([prefix]) => childElements(root).some(({ name }) => name.startsWith(`${prefix}:`)));
  root.attributes.unshift(...used.map(([prefix, value]) => ({ name: `xmlns:${prefix}`, value, offset: -1 })));
  if (options.interfaceConnections !== undefined) countConnections(root, options.interfaceConnections);
  return writeXml(root);
}

function countConnections(root: XmlElement, counts: ReadonlyMap<string, number>): void {
  const forward = childElements(root).find(({ name }) => name === 'forward');
  for (const device of forward === undefined ? [] : childElements(forward)) {
    const count = device.name === 'interface' ? counts.get(findAttribute(device, 'dev')?.value ?? '') ?? 0 : 0;
    if (count > 0) device.attributes.push({ name: 'connections', value: String(count), offset: -1 });
  }
}

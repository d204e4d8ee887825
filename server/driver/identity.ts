/**
 * Lives here: what vnet fills in where a document leaves it out: UUID, MAC
 * address, bridge name. Does not know: the host, the store.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { isManaged, type NetworkDefinition } from '../../shared/definition/index.js';

/** The highest number that is tried for a bridge: a thousand networks fit, with room. libvirt ends at 256. */
const highestBridgeNumber = 9999;

/** The most characters of an interface's name, which the kernel keeps in 16 bytes. */
const longestName = 15;

/** A definition that says who it is. */
export type IdentifiedDefinition = NetworkDefinition & { uuid: string };

/** Whether the document leaves the bridge's name, or its number, to vnet. */
export function needsBridgeName(definition: NetworkDefinition): boolean {
  const name = definition.bridge?.name;
  return isManaged(definition) && (name === undefined || name.includes('%d'));
}

/**
 * The definition with UUID and, in managed modes, MAC address filled in. As
 * with libvirt nothing is inherited from an earlier definition of the network.
 */
export function identify(definition: NetworkDefinition): IdentifiedDefinition {
  const identified = { ...definition, uuid: definition.uuid ?? randomUUID() };
  if (isManaged(definition) && definition.mac === undefined) identified.mac = randomMac();
  return identified;
}

/**
 * The definition with the first free bridge name: `virbr0`, `virbr1`, ..., or
 * by the document's own template (`lab%d`).
 *
 * @param taken names of other networks' bridges and of the host's interfaces
 * @throws {NetworkError} INTERNAL_ERROR if all numbers are taken
 */
export function nameBridge<T extends NetworkDefinition>(definition: T, taken: { has(name: string): boolean }): T {
  const template = definition.bridge?.name ?? 'virbr%d';
  for (let number = 0; number <= highestBridgeNumber; number += 1) {
    const name = template.replace('%d', String(number));
    if (name.length > longestName) break;
    if (!taken.has(name)) {
      return { ...definition, bridge: { stp: true, delay: 0, ...definition.bridge, name } };
    }
  }
  throw new NetworkError(ErrorCode.INTERNAL_ERROR,
    `no free bridge name: ${template} is taken for every number from 0 that fits`,
    { hint: 'name the bridge in the document: <bridge name="..."/>' });
}

/** A MAC address in the range that QEMU and libvirt use: 52:54:00 and three random groups. */
function randomMac(): string {
  return `52:54:00:${randomBytes(3).toString('hex').replace(/(..)(?!$)/g, '$1:')}`;
}

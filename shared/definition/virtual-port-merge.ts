/**
 * Lives here: one `<virtualport>` out of those of a guest, its network and its
 * port group. Does not know: which network takes which type.
 */
import { ErrorCode, NetworkError } from '../errors.js';
import { parametersOf, type VirtualPort, type VirtualPortParameters } from './virtual-port.js';

/** Each parameter's member and its name in the document, in the order libvirt compares them. */
const parameterNames = {
  managerId: 'managerid',
  typeId: 'typeid',
  typeIdVersion: 'typeidversion',
  instanceId: 'instanceid',
  interfaceId: 'interfaceid',
  profileId: 'profileid',
} as const satisfies Record<keyof VirtualPortParameters, string>;

const members = Object.keys(parameterNames) as (keyof VirtualPortParameters)[];

/** The parameters that a type cannot be without, and the one that is made up where it is missing. */
const completeness = {
  '802.1Qbg': { required: ['managerId', 'typeId', 'typeIdVersion'], generated: 'instanceId' },
  '802.1Qbh': { required: ['profileId'], generated: undefined },
  openvswitch: { required: [], generated: 'interfaceId' },
  midonet: { required: ['interfaceId'], generated: undefined },
} as const;

/**
 * Merges virtual ports: what one leaves open, another may say, but no two may
 * differ. Parameters that are not of the type are dropped. Undefined if there
 * are none.
 *
 * @param parts the guest's, the network's, the port group's
 * @throws {NetworkError} XML_ERROR if two differ
 */
export function mergeVirtualPorts(...parts: (VirtualPort | undefined)[]): VirtualPort | undefined {
  const given = parts.filter((part) => part !== undefined);
  if (given.length === 0) return undefined;
  const type = merged<NonNullable<VirtualPort['type']>>('types', given.map((part) => part.type));
  const parameters: Record<string, unknown> = {};
  for (const member of members) {
    const value = merged<string | number>(`${parameterNames[member]}s`, given.map((part) => part.parameters?.[member]));
    if (value !== undefined && takes(type, member)) parameters[member] = value;
  }
  return { ...(type === undefined ? {} : { type }), ...(Object.keys(parameters).length === 0 ? {} : { parameters }) };
}

/**
 * The virtual port with its identifier made up where it is missing.
 *
 * @throws {NetworkError} XML_ERROR if another parameter is missing
 */
export function completeVirtualPort(part: VirtualPort, makeUuid: () => string): VirtualPort {
  if (part.type === undefined) return part;
  const { required, generated } = completeness[part.type];
  const missing = required.find((member) => part.parameters?.[member] === undefined);
  if (missing !== undefined) throw new NetworkError(ErrorCode.XML_ERROR, `missing ${parameterNames[missing]} in <virtualport type='${part.type}'>`);
  if (generated === undefined || part.parameters?.[generated] !== undefined) return part;
  return { ...part, parameters: { ...part.parameters, [generated]: makeUuid() } };
}

function takes(type: VirtualPort['type'], member: keyof VirtualPortParameters): boolean {
  return type === undefined || (parametersOf[type] as readonly string[]).includes(parameterNames[member]);
}

/** The one value that all have who have one. */
function merged<T extends string | number>(what: string, values: (T | undefined)[]): T | undefined {
  const shown = (value: T) => (what === 'types' || typeof value === 'number' ? String(value) : `'${value}'`);
  let found: T | undefined;
  for (const value of values) {
    if (value === undefined || value === found) continue;
    if (found !== undefined) {
      throw new NetworkError(ErrorCode.XML_ERROR, `attempt to merge virtualports with mismatched ${what} (${shown(found)} and ${shown(value)})`, {
        hint: 'the interface, the network and the port group each may leave it out',
      });
    }
    found = value;
  }
  return found;
}

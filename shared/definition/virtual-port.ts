/**
 * Lives here: `<virtualport>`: how a switch knows a guest's port. Does not
 * know: where it stands (a network, a port group, a port).
 */
import { ErrorCode } from '../errors.js';
import { attribute, child } from './codec/fields.js';
import { element, type Field } from './codec/element.js';
import type { Report } from './codec/report.js';
import { codedNumber, oneOf, textValue, uuid } from './codec/values.js';

export interface VirtualPort {
  type?: '802.1Qbg' | '802.1Qbh' | 'openvswitch' | 'midonet';
  parameters?: VirtualPortParameters;
}

export interface VirtualPortParameters {
  managerId?: number;
  typeId?: number;
  typeIdVersion?: number;
  instanceId?: string;
  interfaceId?: string;
  profileId?: string;
}

/** The parameters each type takes. Without a type all are possible. */
export const parametersOf = {
  '802.1Qbg': ['managerid', 'typeid', 'typeidversion', 'instanceid'],
  '802.1Qbh': ['profileid'],
  openvswitch: ['interfaceid', 'profileid'],
  midonet: ['interfaceid'],
} as const;

const parameters = element<VirtualPortParameters>('parameters', {
  managerId: attribute('managerid', codedNumber(0xff)),
  typeId: attribute('typeid', codedNumber(0xffffff)),
  typeIdVersion: attribute('typeidversion', codedNumber(0xff)),
  instanceId: attribute('instanceid', uuid),
  interfaceId: attribute('interfaceid', uuid),
  profileId: attribute('profileid', textValue('letters, digits, blanks and . _ : + - @', /^[\p{L}\p{N}._:+@ -]+$/u, 39), { emptyIsAbsent: true }),
});

function virtualPortElement(typeIsRequired: boolean) {
  return element<VirtualPort>('virtualport', {
    type: attribute('type', oneOf('802.1Qbg', '802.1Qbh', 'openvswitch', 'midonet'), {
      invalid: ErrorCode.CONFIG_UNSUPPORTED,
      ...(typeIsRequired ? { required: ErrorCode.XML_ERROR } : {}),
    }),
    parameters: child(parameters),
  }, {
    rules: [parametersFitType],
    finish: (part) => (part.parameters === undefined || Object.keys(part.parameters).length > 0 ? part : withoutParameters(part)),
  });
}

function parametersFitType(part: VirtualPort, report: Report): void {
  if (part.type === undefined || part.parameters === undefined || !report.sound(part.parameters)) return;
  const allowed: readonly string[] = parametersOf[part.type];
  for (const name of new Set(Object.values(parametersOf).flat())) {
    if (allowed.includes(name) || !report.writes(part.parameters, name)) continue;
    if (part.type === 'midonet' && name === 'profileid') {
      // libvirt overlooks this one.
      report.unknownIn(part.parameters, "not a parameter of type 'midonet'", name);
      delete part.parameters.profileId;
    } else {
      report.problem(ErrorCode.XML_ERROR, part.parameters, `not a parameter of type '${part.type}'; allowed: ${allowed.join(', ')}`, name);
    }
  }
}

function withoutParameters({ parameters: _, ...part }: VirtualPort): VirtualPort {
  return part;
}

/** `<virtualport>` where its type must be given: in a network. */
export const typedVirtualPort: Field<VirtualPort> = child(virtualPortElement(true));

/** `<virtualport>` of a port group or a port, which may leave the type to the network. */
export const virtualPort: Field<VirtualPort> = child(virtualPortElement(false));

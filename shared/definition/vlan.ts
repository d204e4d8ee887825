/**
 * Lives here: `<vlan>`: the tags of guests' frames. Does not know: where it
 * stands (a network, a port group, a port).
 */
import { ErrorCode } from '../errors.js';
import { attribute, child, children } from './codec/fields.js';
import { element, type Field } from './codec/element.js';
import { oneOf, wholeNumber, yesOrNo, type ValueCodec } from './codec/values.js';
import { describeMode, usesHostBridge } from './modes.js';
import type { NetworkDefinition } from './network.js';
import type { NetworkRules } from './rule.js';
import type { VirtualPort } from './virtual-port.js';

export interface Vlan {
  /** As written: more than one tag means a trunk all the same. */
  trunk?: boolean;
  tags: VlanTag[];
}

export interface VlanTag {
  id: number;
  nativeMode?: 'tagged' | 'untagged';
}

const tag = element<VlanTag>('tag', {
  id: attribute('id', wholeNumber(0, 4095), { required: ErrorCode.XML_ERROR }),
  nativeMode: attribute('nativeMode', oneOf('tagged', 'untagged')),
});

const anyCaseYesOrNo: ValueCodec<boolean> = {
  ...yesOrNo,
  parse: (text) => yesOrNo.parse(text.toLowerCase()),
};

/** `<vlan>`. */
export const vlan: Field<Vlan> = child(element<Vlan>('vlan', {
  trunk: attribute('trunk', anyCaseYesOrNo, { emptyIsAbsent: true }),
  tags: children(tag, { required: ErrorCode.XML_ERROR }),
}, {
  rules: [(part, report) => {
    const natives = part.tags.filter(({ nativeMode }) => nativeMode !== undefined);
    for (const second of natives.slice(1)) report.problem(ErrorCode.XML_ERROR, second, 'only one tag can be the native one', 'nativeMode');
    if (part.trunk === false && (part.tags.length > 1 || natives.length > 0)) {
      report.problem(ErrorCode.XML_ERROR, part, "trunk='no' is not possible with more than one tag or a native one", 'trunk');
    }
  }],
  finish: ({ trunk, tags }) => (trunk === true || tags.length > 1 ? { trunk: true, tags } : { tags }),
  prepare: ({ trunk, tags }) => (trunk === true || tags.length > 1 ? { trunk: true, tags } : { tags }),
}));

/**
 * Whether a network's devices or bridge tag frames for guests that bring no
 * virtualport of their own.
 */
function carriesVlans(network: NetworkDefinition): boolean {
  const { mode } = network.forward ?? {};
  if (mode === 'hostdev' || mode === 'passthrough') return true;
  return mode === 'bridge' && (network.virtualPort === undefined ? usesHostBridge(network) : network.virtualPort.type === 'openvswitch');
}

export const vlanRules: NetworkRules = {
  driver: [
    function vlanFitsMode(network, report) {
      if (network.vlan !== undefined && !carriesVlans(network)) {
        report.problem(ErrorCode.CONFIG_UNSUPPORTED, network.vlan, `not allowed in ${describeMode(network)}${withVirtualPort(network.virtualPort)}`);
      }
    },
    function groupVlansFitMode(network, report) {
      for (const group of network.portGroups) {
        if (!report.sound(group) || (group.vlan ?? network.vlan) === undefined) continue;
        const fits = group.virtualPort === undefined
          ? carriesVlans(network) : network.forward?.mode === 'bridge' && group.virtualPort.type === 'openvswitch';
        if (!fits && (group.vlan !== undefined || group.virtualPort !== undefined)) {
          report.problem(ErrorCode.CONFIG_UNSUPPORTED, group.vlan ?? group,
            `a VLAN is not possible in ${describeMode(network)}${withVirtualPort(group.virtualPort ?? network.virtualPort)}`);
        }
      }
    },
  ],
};

function withVirtualPort(part: VirtualPort | undefined): string {
  return part === undefined ? '' : ` with virtualport type '${part.type ?? 'none'}'`;
}

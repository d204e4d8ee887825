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
  finish: ({ trunk, tags }) => (trunk === true || isTrunk(tags) ? { trunk: true, tags } : { tags }),
  prepare: ({ trunk, tags }) => (trunk === true || isTrunk(tags) ? { trunk: true, tags } : { tags }),
}));

function isTrunk(tags: readonly VlanTag[]): boolean {
  return tags.length > 1 || tags.some(({ nativeMode }) => nativeMode !== undefined);
}

export const vlanRules: NetworkRules = {
  driver: [
    function vlanFitsMode(network, report) {
      if (network.vlan !== undefined && !carriesVlans(network)) {
        report.problem(ErrorCode.CONFIG_UNSUPPORTED, network.vlan, `not allowed in ${describeMode(network)}`);
      }
    },
  ],
};

/** Modes whose devices or bridges tag frames. A port group's virtualport may stand in for the network's. */
export function carriesVlans(network: NetworkDefinition): boolean {
  const mode = network.forward?.mode;
  return mode === 'hostdev' || mode === 'passthrough' || (mode === 'bridge' && usesHostBridge(network));
}

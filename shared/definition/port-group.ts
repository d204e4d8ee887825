/**
 * Lives here: `<portgroup>`: settings for some of a network's guests. Does not
 * know: the other elements.
 */
import { ErrorCode } from '../errors.js';
import { attribute } from './codec/fields.js';
import { element } from './codec/element.js';
import { filledLine, yesOrNo, yesOrOther } from './codec/values.js';
import { sharedBandwidth, type Bandwidth } from './bandwidth.js';
import type { NetworkRules } from './rule.js';
import { virtualPort, type VirtualPort } from './virtual-port.js';
import { vlan, type Vlan } from './vlan.js';

export interface PortGroup {
  name: string;
  default?: boolean;
  trustGuestRxFilters?: boolean;
  vlan?: Vlan;
  virtualPort?: VirtualPort;
  bandwidth?: Bandwidth;
}

/** `<portgroup>`. */
export const portGroup = element<PortGroup>('portgroup', {
  name: attribute('name', filledLine, { emptyIsAbsent: true, required: ErrorCode.XML_ERROR }),
  default: attribute('default', yesOrOther, { emptyIsAbsent: true, printIf: (value) => value }),
  trustGuestRxFilters: attribute('trustGuestRxFilters', yesOrNo),
  vlan,
  virtualPort,
  bandwidth: sharedBandwidth,
}, {
  readFirst: ['name', 'default', 'trustGuestRxFilters', 'virtualPort', 'bandwidth', 'vlan'],
  open: true,
  finish: ({ default: isDefault, ...part }) => (isDefault === true ? { ...part, default: true } : part),
});

export const portGroupRules: NetworkRules = {
  driver: [
    function groupsDiffer({ portGroups }, report) {
      const names = new Set<string>();
      let defaults = 0;
      for (const group of portGroups.filter((one) => report.sound(one))) {
        if (names.has(group.name)) report.problem(ErrorCode.CONFIG_UNSUPPORTED, group, `there is a port group '${group.name}' already`, 'name');
        names.add(group.name);
        if (group.default === true && ++defaults > 1) {
          report.problem(ErrorCode.CONFIG_UNSUPPORTED, group, 'only one port group can be the default', 'default');
        }
      }
    },
  ],
};

/**
 * Lives here: `<domain>`: the DNS domain of the network's guests. Does not
 * know: the other elements.
 */
import { ErrorCode } from '../errors.js';
import { attribute, child } from './codec/fields.js';
import { element, type Field } from './codec/element.js';
import { domainName, yesOrNo } from './codec/values.js';
import { describeMode, isManaged } from './modes.js';
import type { NetworkRules } from './rule.js';

export interface Domain {
  name: string;
  localOnly?: boolean;
  register?: boolean;
}

/** `<domain>`; one without a name is as good as none, as libvirt has it. */
export const domainElement = element<Domain>('domain', {
  name: attribute('name', domainName, { emptyIsAbsent: true }),
  localOnly: attribute('localOnly', yesOrNo),
  register: attribute('register', yesOrNo),
}, {
  finish: (part) => ((part.name as string | undefined) === undefined ? undefined : part),
});

/** The field of a network. */
export const domain: Field<Domain> = child(domainElement);

export const domainRules: NetworkRules = {
  driver: [
    function domainFitsMode(network, report) {
      if (network.domain !== undefined && !isManaged(network)) {
        report.problem(ErrorCode.CONFIG_UNSUPPORTED, network.domain, `not allowed in ${describeMode(network)}`);
      }
    },
    function registeredDomainIsLocal({ domain: part }, report) {
      if (part?.register === true && part.localOnly !== true) {
        report.problem(ErrorCode.CONFIG_UNSUPPORTED, part, "register='yes' needs localOnly='yes'", 'register');
      }
    },
  ],
};

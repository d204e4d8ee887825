/**
 * Lives here: `<vnet:proxy>`: the host answers for guests whose subnet is a
 * part of the LAN's. It is vnet's own, and in a namespace of vnet's own;
 * libvirt passes over it. Does not know: how the host does it.
 */
import { ErrorCode } from '../errors.js';
import { attribute, child } from './codec/fields.js';
import { element, type Field } from './codec/element.js';
import { yesOrNo } from './codec/values.js';
import { familyOfIp } from './ip.js';
import { describeMode } from './modes.js';
import type { NetworkRules } from './rule.js';

/** For whom the host answers; at least one of the two. */
export interface Proxy {
  /** It answers ARP requests for guests' IPv4 addresses. */
  arp?: true;
  /** It answers neighbour solicitations for guests' IPv6 addresses. */
  ndp?: true;
}

const yes = { emptyIsAbsent: true, printIf: (value: boolean) => value };

/** `<vnet:proxy>`; one that says nothing is none. */
export const proxy: Field<Proxy> = child(element<Proxy>('vnet:proxy', {
  arp: attribute('arp', yesOrNo, yes) as Field<true>,
  ndp: attribute('ndp', yesOrNo, yes) as Field<true>,
}, {
  finish: ({ arp, ndp }) => (arp || ndp ? { ...(arp && { arp }), ...(ndp && { ndp }) } : undefined),
}));

export const proxyRules: NetworkRules = {
  driver: [
    function proxyIsOfRoutes(network, report) {
      const part = network.proxy;
      if (part === undefined) return;
      if (network.forward?.mode !== 'route' || network.forward.dev === undefined) {
        report.problem(ErrorCode.CONFIG_UNSUPPORTED, part, `needs forward mode 'route' with a device of the LAN, not ${describeMode(network)}${network.forward?.mode === 'route' ? ' without one' : ''}`);
      }
      for (const [attribute, family, words] of [['arp', 'ipv4', 'IPv4'], ['ndp', 'ipv6', 'IPv6']] as const) {
        if (part[attribute] === true && !network.ips.some((ip) => familyOfIp(ip) === family)) {
          report.problem(ErrorCode.CONFIG_UNSUPPORTED, part, `there is nobody to answer for: the network has no ${words} address`, attribute);
        }
      }
    },
  ],
};

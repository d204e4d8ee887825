/**
 * Lives here: `<route>`: a subnet behind one of the network's guests. Does not
 * know: how routes are set.
 */
import { ErrorCode } from '../errors.js';
import { addressBits, addressToNumber, netmaskToPrefix, subnetContains, subnetOf, type Family, type Subnet } from '../address.js';
import { attribute } from './codec/fields.js';
import { element } from './codec/element.js';
import type { Report } from './codec/report.js';
import { addressFamily, ipAddress, maxUint32, wholeNumber } from './codec/values.js';
import { familyOfIp, sizeRule, subnetOfIp } from './ip.js';
import type { NetworkDefinition } from './network.js';

export interface Route {
  family?: Family;
  address: string;
  netmask?: string;
  prefix?: number;
  gateway: string;
  metric?: number;
}

/** `<route>`. */
export const route = element<Route>('route', {
  family: attribute('family', addressFamily),
  address: attribute('address', ipAddress, { required: ErrorCode.XML_ERROR }),
  netmask: attribute('netmask', ipAddress),
  prefix: attribute('prefix', wholeNumber(0, maxUint32)),
  gateway: attribute('gateway', ipAddress, { required: ErrorCode.XML_ERROR }),
  metric: attribute('metric', wholeNumber(1, maxUint32)),
}, {
  rules: [sizeRule(ErrorCode.XML_ERROR), targetRule],
});

/** The prefix length of a route: as given, or the netmask's, else 0. */
export function prefixOfRoute({ prefix, netmask }: Route): number {
  return netmask === undefined ? prefix ?? 0 : netmaskToPrefix(netmask) ?? 0;
}

/** The subnet a route leads to. */
export function subnetOfRoute(part: Route): Subnet {
  return subnetOf(part.address, prefixOfRoute(part));
}

function targetRule(part: Route, report: Report): void {
  const family = familyOfIp(part);
  if ((part.gateway.includes(':') ? 'ipv6' : 'ipv4') !== family) {
    report.problem(ErrorCode.XML_ERROR, part, `found ${part.gateway}, which is no ${family} address`, 'gateway');
    return;
  }
  if (part.netmask !== undefined && netmaskToPrefix(part.netmask) === undefined) {
    report.problem(ErrorCode.XML_ERROR, part, `found ${part.netmask}, whose ones are not in one piece`, 'netmask');
    return;
  }
  if (prefixOfRoute(part) > addressBits(family)) return;
  if (addressToNumber(part.address) !== subnetOfRoute(part).network) {
    report.problem(ErrorCode.XML_ERROR, part,
      `${part.address} is no network address with ${part.netmask === undefined ? `prefix ${prefixOfRoute(part)}` : `netmask ${part.netmask}`}`, 'address');
  }
}

/** Every gateway must lie on one of the network's subnets. libvirt looks at this before it reads what follows the routes. */
export function gatewaysAreReachable({ routes, ips }: Pick<NetworkDefinition, 'routes' | 'ips'>, report: Report): void {
  if (!ips.every((part) => report.sound(part))) return;
  for (const part of routes.filter((one) => report.sound(one))) {
    if (!ips.some((one) => familyOfIp(one) === familyOfIp(part) && subnetContains(subnetOfIp(one), part.gateway))) {
      report.problem(ErrorCode.CONFIG_UNSUPPORTED, part, `found ${part.gateway}, which is in no <ip>'s subnet`, 'gateway');
    }
  }
}

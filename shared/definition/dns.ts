/**
 * Lives here: `<dns>`: whether and how names are resolved for guests. Does not
 * know: the other elements.
 */
import { ErrorCode } from '../errors.js';
import { attribute, child, children, childValues, mapped, text } from './codec/fields.js';
import { element, type Field } from './codec/element.js';
import { domainName, ipAddress, line, textValue, wholeNumber, yesOrNo } from './codec/values.js';
import { describeMode, isManaged } from './modes.js';
import type { NetworkRules } from './rule.js';
import type { Report } from './codec/report.js';

export interface Dns {
  /** On unless false. */
  enable?: boolean;
  forwardPlainNames?: boolean;
  forwarders: DnsForwarder[];
  txts: DnsTxt[];
  srvs: Srv[];
  hosts: DnsHost[];
}

/** A server that names are asked of. */
export interface DnsForwarder {
  domain?: string;
  address?: string;
  port?: number;
}

export interface DnsTxt {
  name: string;
  value?: string;
}

export interface Srv {
  service: string;
  protocol: string;
  domain?: string;
  target?: string;
  port?: number;
  priority?: number;
  weight?: number;
}

export interface DnsHost {
  ip: string;
  hostnames: string[];
}

const detail = ErrorCode.XML_DETAIL;

const forwarder = element<DnsForwarder>('forwarder', {
  domain: attribute('domain', domainName),
  address: attribute('addr', ipAddress),
  port: attribute('port', wholeNumber(1, 65535)),
}, {
  readFirst: ['address'],
  rules: [(part, report) => {
    if (part.address === undefined && part.domain === undefined) {
      report.problem(ErrorCode.XML_ERROR, part, "one of the attributes 'addr' and 'domain' is needed");
    } else if (part.address === undefined && part.port !== undefined) {
      report.problem(ErrorCode.XML_ERROR, part, "'port' means nothing without 'addr'", 'port');
    }
  }],
});

/** What a TXT record is of: wider than a host's name. */
const recordName = textValue("a name of letters, digits and _ . - + * / = : @, at most 253 bytes", (text) =>
  /^[\p{L}\p{N}\p{M}_.+*/=:@-]+$/u.test(text) && Buffer.byteLength(text) <= 253);

/** `<txt>`; in an update, to delete one, its name is enough. */
export const dnsTxt = element<DnsTxt>('txt', {
  name: attribute('name', recordName, { required: detail, invalid: detail }),
  value: attribute('value', line, { invalid: detail }),
});

const fullTxt = element<DnsTxt>('txt', {
  name: attribute('name', recordName, { required: detail, invalid: detail }),
  value: attribute('value', line, { required: detail, invalid: detail }),
});

/** A number whose 0 is the same as its absence, in both directions. */
function numberOrNone(name: string, min: number): Field<number> {
  const number = attribute(name, wholeNumber(min, 65535), { invalid: detail, emptyIsAbsent: true });
  return mapped(number, (value) => (value === 0 ? undefined : value), (value) => value || undefined);
}

const serviceName = textValue("letters, digits and _ - + / *", /^[\w\-+/*]+$/, 482);
const protocolName = textValue("letters, digits and - + /", /^[A-Za-z0-9\-+/]+$/);

const srvFields = {
  domain: attribute('domain', domainName, { invalid: detail }),
  target: attribute('target', domainName, { invalid: detail }),
  port: numberOrNone('port', 1),
  priority: numberOrNone('priority', 0),
  weight: numberOrNone('weight', 0),
};

function numbersNeedTarget(part: Partial<Srv>, report: Report): void {
  for (const name of ['port', 'priority', 'weight'] as const) {
    if (part.target === undefined && report.writes(part, name)) {
      report.problem(detail, part, `'${name}' means nothing without 'target'; give a target or leave it out`, name);
    }
  }
}

/** `<srv>`. */
export const dnsSrv = element<Srv>('srv', {
  service: attribute('service', serviceName, { required: detail, invalid: detail }),
  protocol: attribute('protocol', protocolName, { required: detail, invalid: detail }),
  ...srvFields,
}, { rules: [numbersNeedTarget] });

/** What `<srv>` records are found by: as much of one as an update gives. */
export const dnsSrvKey = element<Partial<Srv>>('srv', {
  service: attribute('service', serviceName, { invalid: detail }),
  protocol: attribute('protocol', protocolName, { invalid: detail }),
  ...srvFields,
}, { rules: [numbersNeedTarget] });

const hostname = element<{ value: string }>('hostname', { value: text(domainName, { required: detail, invalid: detail }) });

/** `<host>` of `<dns>`. */
export const dnsHost = element<DnsHost>('host', {
  ip: attribute('ip', ipAddress, { required: detail, invalid: detail }),
  hostnames: childValues(hostname, { required: detail }),
});

/** What one host of `<dns>` is found by: its address, or names of it. */
export const dnsHostKey = element<Partial<DnsHost>>('host', { ip: attribute('ip', ipAddress, { invalid: detail }), hostnames: childValues(hostname) });

/** `<dns>`. */
export const dns: Field<Dns> = child(element<Dns>('dns', {
  enable: attribute('enable', yesOrNo),
  forwardPlainNames: attribute('forwardPlainNames', yesOrNo),
  forwarders: children(forwarder),
  txts: children(fullTxt),
  srvs: children(dnsSrv),
  hosts: children(dnsHost),
}, {
  readFirst: ['enable', 'forwardPlainNames', 'forwarders', 'hosts', 'srvs', 'txts'],
  rules: [(part, report) => {
    if (part.enable === false && !saysNothing(part)) {
      report.problem(ErrorCode.XML_ERROR, part, "enable='no' allows nothing in <dns>", 'enable');
    }
  }],
  finish: (part) => (part.enable === undefined && part.forwardPlainNames === undefined && saysNothing(part) ? undefined : part),
}));

function saysNothing({ forwarders, txts, srvs, hosts }: Dns): boolean {
  return forwarders.length + txts.length + srvs.length + hosts.length === 0;
}

export const dnsRules: NetworkRules = {
  driver: [
    function recordsFitMode(network, report) {
      const part = network.dns;
      if (part === undefined || !report.sound(part) || isManaged(network)) return;
      if ([part.txts, part.srvs, part.hosts].some((list) => list.length > 0)) {
        report.problem(ErrorCode.CONFIG_UNSUPPORTED, part, `DNS records are not allowed in ${describeMode(network)}`);
      }
    },
  ],
};

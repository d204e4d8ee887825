/**
 * Lives here: updates of a network's names: hosts, TXT and SRV records of
 * `<dns>`, and `<domain>`. Does not know: the other sections.
 */
import { ErrorCode, NetworkError } from '../../errors.js';
import { dnsHost, dnsHostKey, dnsSrv, dnsSrvKey, dnsTxt, type Dns, type DnsHost, type DnsTxt, type Srv } from '../dns.js';
import { domainElement } from '../domain.js';
import type { NetworkDefinition } from '../network.js';
import { openPart, parsePart, readPart } from '../parse.js';
import { added, adds, clash, describePart, refuseCommand, refuseModify, replaced, without, type SectionUpdate } from './section.js';

const nothing: Dns = { forwarders: [], txts: [], srvs: [], hosts: [] };

/** `dns-host`: known by its address; to delete one, a name is enough. */
export const updateDnsHost: SectionUpdate = (definition, update) => {
  const { name, dns: { hosts } = nothing } = definition;
  const opened = openPart(update.xml, 'host');
  if (adds(update) || update.command === 'modify') {
    const host = readPart(opened, dnsHost);
    const found = hosts.findIndex(({ ip }) => ip === host.ip);
    if (update.command === 'modify') {
      if (found < 0) throw clash(`couldn't locate a matching DNS HOST record in network ${name}`);
      return withDns(definition, { hosts: replaced(hosts, found, host) });
    }
    if (found >= 0) throw clash(`there is already at least one DNS HOST record with a matching field in network ${name}`);
    return withDns(definition, { hosts: added(hosts, host, update) });
  }
  const key = readPart(opened, dnsHostKey);
  if (key.ip === undefined && (key.hostnames ?? []).length === 0) {
    throw new NetworkError(ErrorCode.XML_DETAIL, `missing ip and hostname in network '${name}' DNS HOST record`);
  }
  if (update.command !== 'delete') refuseCommand(update);
  return withDns(definition, { hosts: without(hosts, only(hosts, (host) => isKnownBy(host, key), `DNS HOST records`, name)) });
};

function isKnownBy({ ip, hostnames }: DnsHost, key: Partial<DnsHost>): boolean {
  return ip === key.ip || hostnames.some((hostname) => key.hostnames?.includes(hostname) === true);
}

/** `dns-txt`: known by its name. */
export const updateDnsTxt: SectionUpdate = (definition, update) => {
  const { name: network, dns: { txts } = nothing } = definition;
  const txt = parsePart(update.xml, dnsTxt);
  if (adds(update)) requireValue(txt, ErrorCode.XML_DETAIL);
  if (update.command === 'modify') requireValue(txt, ErrorCode.OPERATION_INVALID);
  const found = txts.findIndex(({ name }) => name === txt.name);
  if (adds(update)) {
    if (found >= 0) throw clash(`there is already a DNS TXT record with name '${txt.name}' in network ${network}`);
    return withDns(definition, { txts: added(txts, txt, update) });
  }
  if (update.command !== 'delete' && update.command !== 'modify') refuseCommand(update);
  if (found < 0) throw clash(`couldn't locate a matching DNS TXT record in network ${network}`);
  return withDns(definition, { txts: update.command === 'delete' ? without(txts, found) : replaced(txts, found, txt) });
};

function requireValue({ name, value }: DnsTxt, code: ErrorCode): void {
  if (value === undefined) throw new NetworkError(code, `missing required value attribute in DNS TXT record named '${name}'`);
}

/** `dns-srv`: known by as much of it as is given. */
export const updateDnsSrv: SectionUpdate = (definition, update) => {
  const { name, dns: { srvs } = nothing } = definition;
  refuseModify(update, 'DNS SRV records');
  const opened = openPart(update.xml, 'srv');
  const matches = (key: Partial<Srv>) => (srv: Srv) =>
    (['domain', 'service', 'protocol', 'target'] as const).every((field) => key[field] === undefined || key[field] === srv[field]);
  if (adds(update)) {
    const srv = readPart(opened, dnsSrv);
    if (srvs.some(matches(srv))) throw clash(`there is already at least one DNS SRV record matching all specified fields in network ${name}`);
    return withDns(definition, { srvs: added(srvs, srv, update) });
  }
  const key = readPart(opened, dnsSrvKey);
  if (update.command !== 'delete') refuseCommand(update);
  return withDns(definition, { srvs: without(srvs, only(srvs, matches(key), 'DNS SRV records', name)) });
};

/** `domain`: a network has one or none. Libvirt refuses this section. */
export const updateDomain: SectionUpdate = (definition, update) => {
  const { name, domain: old } = definition;
  const domain = parsePart(update.xml, domainElement);
  if (adds(update)) {
    if (old !== undefined) throw clash(`network '${name}' has the domain '${old.name}' already; only one is allowed`);
    return { ...definition, domain };
  }
  if (update.command === 'modify') {
    if (old === undefined) throw clash(`network '${name}' has no domain to modify`);
    return { ...definition, domain };
  }
  if (update.command !== 'delete') refuseCommand(update);
  if (old?.name !== domain.name) throw clash(`couldn't find a domain entry in network '${name}' matching ${describePart('domain', { name: domain.name })}`);
  const { domain: _, ...rest } = definition;
  return rest;
};

/** The index of the one part that matches. @throws {NetworkError} OPERATION_INVALID if none or several do */
function only<T>(list: readonly T[], matches: (part: T) => boolean, what: string, network: string): number {
  const found = list.flatMap((part, index) => (matches(part) ? [index] : []));
  if (found.length === 1) return found[0]!;
  throw clash(found.length === 0 ? `couldn't locate any matching ${what} in network ${network}` : `multiple matching ${what} were found in network ${network}`);
}

function withDns(definition: NetworkDefinition, change: Partial<Dns>): NetworkDefinition {
  return { ...definition, dns: { ...definition.dns ?? nothing, ...change } };
}

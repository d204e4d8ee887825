/**
 * Lives here: changing one part of a definition, as libvirt's
 * virNetworkDefUpdateSection does, and two sections that it refuses (domain,
 * ip). Does not know: what a section does (see `update/`), what is live.
 */
import { ErrorCode, NetworkError } from '../errors.js';
import { formatNetwork } from './format.js';
import type { NetworkDefinition } from './network.js';
import { parseNetwork } from './parse.js';
import { updateDhcpHost, updateDhcpRange } from './update/dhcp.js';
import { updateDnsHost, updateDnsSrv, updateDnsTxt, updateDomain } from './update/dns.js';
import { updateForwardInterface, updateIp, updatePortGroup } from './update/parts.js';
import type { UpdateSectionWord } from '../update-words.js';
import type { SectionUpdate, Update } from './update/section.js';
import { readXml } from './xml/read.js';

export type { Update } from './update/section.js';
export { updateCommands, updateSections, type UpdateCommandWord, type UpdateSectionWord } from '../update-words.js';

const sections: Partial<Record<UpdateSectionWord, SectionUpdate>> = {
  domain: updateDomain,
  ip: updateIp,
  'ip-dhcp-host': updateDhcpHost,
  'ip-dhcp-range': updateDhcpRange,
  'forward-interface': updateForwardInterface,
  portgroup: updatePortGroup,
  'dns-host': updateDnsHost,
  'dns-txt': updateDnsTxt,
  'dns-srv': updateDnsSrv,
};

/**
 * The definition after a change of one part. The one given stays as it is. As
 * with libvirt the result is printed and read again, so every rule of the
 * parser holds for it, and none of the driver's.
 *
 * @throws {NetworkError} OPERATION_UNSUPPORTED for a section or command that
 * there is not; OPERATION_INVALID if the part clashes with one that is there,
 * or is not there; XML_DETAIL, XML_ERROR and others for the part and for what
 * the change would lead to
 */
export function applyUpdate(definition: NetworkDefinition, update: Update): NetworkDefinition {
  const change = update.section === undefined ? undefined : sections[update.section];
  if (change === undefined) throw refusedSection(definition, update);
  const changed = change(definition, update);
  return parseNetwork(formatNetwork(changed), { validate: false }).definition;
}

function refusedSection({ name }: NetworkDefinition, { section = 'none', xml }: Update): NetworkError {
  // A document that is none comes first.
  readXml(xml);
  if (section === 'none') return new NetworkError(ErrorCode.OPERATION_UNSUPPORTED, "can't update unrecognized section of network");
  return new NetworkError(ErrorCode.OPERATION_UNSUPPORTED, `can't update '${section}' section of network '${name}'`, {
    hint: `change the definition with 'vnet edit ${name}'; it holds from the network's next start`,
  });
}

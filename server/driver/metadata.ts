/**
 * Lives here: NetworkGetMetadata and NetworkSetMetadata: what is said of a
 * network, which concerns nothing on the host. Does not know: how an element
 * is kept.
 */
import { formatMetadata, parseNetwork, formatNetwork, withMetadata, type NetworkDefinition } from '../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { EventKind, MetadataType, type NetworkGetMetadataRequest, type NetworkSetMetadataRequest } from '../../shared/gen/vnet/v1/network_driver.js';
import { makeChange, targetsOf, type Change } from './change.js';
import type { IdentifiedDefinition } from './identity.js';
import type { Estate } from './lifecycle.js';
import type { NetworkRecord } from './register.js';

/** How an event names a kind of metadata. */
const words: Partial<Record<MetadataType, string>> = {
  [MetadataType.TITLE]: 'title', [MetadataType.DESCRIPTION]: 'description', [MetadataType.ELEMENT]: 'element',
};

/** Gives a network's metadata. @throws {NetworkError} NO_NETWORK_METADATA if there is none; INVALID_ARG; as targetsOf */
export function getMetadata(record: NetworkRecord, request: NetworkGetMetadataRequest): string {
  const { type, uri, live, config } = request;
  refuseMisfits(type, uri);
  if (live && config) throw invalid("'live' and 'config' are mutually exclusive");
  const targets = targetsOf(record, { live, config });
  const definition = (targets.live ? record.live : record.saved) as NetworkDefinition;
  const found = type === MetadataType.TITLE ? definition.title
    : type === MetadataType.DESCRIPTION ? definition.description : formatMetadata(definition, uri);
  if (found === undefined) throw new NetworkError(ErrorCode.NO_NETWORK_METADATA, 'Requested metadata element is not present');
  return found;
}

/** Sets or removes a network's metadata. @throws {NetworkError} INVALID_ARG; XML_DETAIL and others for the element; as targetsOf */
export function setMetadata(estate: Estate, record: NetworkRecord, request: NetworkSetMetadataRequest): Promise<void> {
  return record.exclusive(async () => {
    const { type, uri, key, metadata } = request;
    refuseMisfits(type, uri);
    if (type !== MetadataType.ELEMENT && key !== '') throw invalid(`'key' is for elements alone`);
    if (type === MetadataType.ELEMENT && key === '' && metadata !== '') throw invalid(`'key' must not be empty: it is the prefix of the element's namespace`);
    if (type === MetadataType.TITLE && metadata.includes('\n')) throw invalid("metadata title can't contain newlines");
    const targets = targetsOf(record, request);
    const change: Change = {};
    if (targets.config) change.saved = changed(record.saved as IdentifiedDefinition, request);
    if (targets.live) change.live = changed(record.live as IdentifiedDefinition, request);
    await makeChange(estate, record, change, false);
    estate.journal.record(EventKind.METADATA_CHANGED, record, { detail: [words[type], uri].filter(Boolean).join(' ') });
    estate.log.info({ network: record.name, type: words[type], uri, ...targets }, 'metadata changed');
  });
}

function changed(definition: IdentifiedDefinition, { type, uri, key, metadata }: NetworkSetMetadataRequest): IdentifiedDefinition {
  // Printed and read again, as an update is: every rule on these texts holds.
  return parseNetwork(formatNetwork(replaced()), { validate: false }).definition as IdentifiedDefinition;

  function replaced(): NetworkDefinition {
    if (type === MetadataType.ELEMENT) return withMetadata(definition, uri, key, metadata);
    const field = type === MetadataType.TITLE ? 'title' : 'description';
    const { [field]: _, ...rest } = definition;
    return metadata === '' ? rest : { ...rest, [field]: metadata };
  }
}

/** Refuses a type that is none, and a namespace where there is none or the other way round. @throws {NetworkError} INVALID_ARG */
function refuseMisfits(type: MetadataType, uri: string): void {
  if (words[type] === undefined) throw invalid(`unknown metadata type '${type}'`);
  if (type === MetadataType.ELEMENT && uri === '') throw invalid("'uri' must not be empty: it is the element's namespace");
  if (type !== MetadataType.ELEMENT && uri !== '') throw invalid("'uri' is for elements alone");
}

function invalid(message: string): NetworkError {
  return new NetworkError(ErrorCode.INVALID_ARG, message);
}

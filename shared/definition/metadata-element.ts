/**
 * Lives here: one foreign element on its way in and out of a definition:
 * libvirt puts it into a namespace of the caller's and gives it back without.
 * Does not know: what the element means.
 */
import { ErrorCode, NetworkError } from '../errors.js';
import { foreignElement, namespaceOf, toXml, type ForeignElement } from './metadata.js';
import type { NetworkDefinition } from './network.js';
import { readXml } from './xml/read.js';
import { writeXml } from './xml/write.js';

/** A name without a colon, as XML has it. */
const prefixName = /^[\p{L}_][\p{L}\p{N}\p{M}_.-]*$/u;

/** The element that a definition keeps for a namespace, as it was given; undefined if there is none. */
export function formatMetadata({ metadata = [] }: NetworkDefinition, uri: string): string | undefined {
  const found = metadata.find((element) => namespaceOf(element) === uri);
  if (found === undefined) return undefined;
  const colon = found.name.indexOf(':');
  return writeXml(toXml(withoutPrefix(found, colon < 0 ? '' : found.name.slice(0, colon)))).trimEnd();
}

/**
 * The definition with another element for a namespace.
 *
 * @param xml the element, or empty to remove it
 * @param key the prefix of the namespace in the document
 * @throws {NetworkError} XML_DETAIL if it is no XML; INTERNAL_ERROR, as libvirt, for a key that is no prefix
 */
export function withMetadata(definition: NetworkDefinition, uri: string, key: string, xml: string): NetworkDefinition {
  const { metadata = [], ...rest } = definition;
  const added = xml === '' ? [] : [inNamespace(xml, uri, key)];
  const kept = [...metadata.filter((element) => namespaceOf(element) !== uri), ...added];
  return kept.length === 0 ? rest : { ...rest, metadata: kept };
}

function inNamespace(xml: string, uri: string, key: string): ForeignElement {
  const element = foreignElement(readXml(xml).root);
  if (!prefixName.test(key) || key.toLowerCase().startsWith('xml')) {
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, 'failed to validate prefix for a new XML namespace', { hint: 'a prefix is a word that begins with a letter' });
  }
  const prefixed = withPrefix(element, key);
  return { ...prefixed, attributes: [{ name: `xmlns:${key}`, value: uri }, ...prefixed.attributes.filter(({ name }) => name !== `xmlns:${key}`)] };
}

/** Puts the elements that are in no namespace into one. */
function withPrefix(element: ForeignElement, key: string): ForeignElement {
  if (element.attributes.some(({ name }) => name === 'xmlns')) return element;
  const children = element.children.map((child) => (typeof child === 'string' ? child : withPrefix(child, key)));
  return { ...element, name: element.name.includes(':') ? element.name : `${key}:${element.name}`, children };
}

/** Takes the elements of a namespace out of it. */
function withoutPrefix(element: ForeignElement, prefix: string): ForeignElement {
  const declaration = prefix === '' ? 'xmlns' : `xmlns:${prefix}`;
  const strip = (one: ForeignElement): ForeignElement => ({
    name: prefix !== '' && one.name.startsWith(`${prefix}:`) ? one.name.slice(prefix.length + 1) : one.name,
    attributes: one.attributes.filter(({ name }) => name !== declaration),
    children: one.children.map((child) => (typeof child === 'string' ? child : strip(child))),
  });
  return strip(element);
}

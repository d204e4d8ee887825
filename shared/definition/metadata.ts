/**
 * Lives here: `<metadata>`: elements of other programs, kept without knowing
 * them. Does not know: what they mean.
 */
import type { Field } from './codec/element.js';
import { childrenNamed } from './codec/element.js';
import { append, newElement, type XmlElement } from './xml/tree.js';

/** An element that vnet keeps without knowing it. */
export interface ForeignElement {
  /** As written, with its namespace prefix if it has one. */
  name: string;
  /** In document order, namespace declarations among them. */
  attributes: { name: string; value: string }[];
  children: (ForeignElement | string)[];
}

/** `<metadata>`: of each namespace its first element; without any, it is absent. */
export const metadata: Field<ForeignElement[]> = {
  elements: ['metadata'],
  read: (source) => {
    const [found] = childrenNamed(source, 'metadata');
    if (found === undefined) return undefined;
    const kept = new Map<string, ForeignElement>();
    for (const child of found.children) {
      if (typeof child === 'string' || child.namespace === '' || kept.has(child.namespace)) continue;
      kept.set(child.namespace, withDeclarations(child));
    }
    return kept.size === 0 ? undefined : [...kept.values()];
  },
  write: (target, value) => {
    if (value === undefined || value.length === 0) return;
    const made = newElement('metadata');
    for (const one of value) append(made, toXml(one));
    append(target, made);
  },
};

/** The namespace a foreign element is in, by its own declarations. */
export function namespaceOf({ name, attributes }: ForeignElement): string {
  const colon = name.indexOf(':');
  const declaration = colon < 0 ? 'xmlns' : `xmlns:${name.slice(0, colon)}`;
  return attributes.find((attribute) => attribute.name === declaration)?.value ?? '';
}

/** An element of a document as it is kept. */
export function foreignElement(source: XmlElement): ForeignElement {
  return withDeclarations(source);
}

/** An element that says itself which namespaces it uses, whoever declared them around it. */
function withDeclarations(source: XmlElement): ForeignElement {
  const missing = new Map<string, string>();
  const used = prefixesIn(source);
  for (let outer = source.parent; outer !== undefined; outer = outer.parent) {
    for (const { name, value } of outer.attributes) {
      const declares = name === 'xmlns' ? '' : name.startsWith('xmlns:') ? name.slice(6) : undefined;
      if (declares !== undefined && used.has(declares) && !missing.has(name)) missing.set(name, value);
    }
  }
  const element = foreign(source);
  for (const { name } of element.attributes) missing.delete(name);
  return { ...element, attributes: [...[...missing].map(([name, value]) => ({ name, value })), ...element.attributes] };
}

function prefixesIn(source: XmlElement): Set<string> {
  const used = new Set<string>();
  const note = (name: string, isAttribute: boolean) => {
    const colon = name.indexOf(':');
    if (colon >= 0) used.add(name.slice(0, colon));
    else if (!isAttribute) used.add('');
  };
  const visit = (element: XmlElement): void => {
    note(element.name, false);
    for (const { name } of element.attributes) note(name, true);
    for (const child of element.children) if (typeof child !== 'string') visit(child);
  };
  visit(source);
  return used;
}

function foreign(source: XmlElement): ForeignElement {
  const attributes = source.attributes.map(({ name, value }) => ({ name, value }));
  const declares = ({ name }: { name: string }) => name === 'xmlns' || name.startsWith('xmlns:');
  // Declarations come first, as in libvirt's output.
  const ordered = [...attributes.filter(declares), ...attributes.filter((one) => !declares(one))];
  return { name: source.name, attributes: ordered, children: withoutBlanks(source).map((child) => (typeof child === 'string' ? child : foreign(child))) };
}

/** White space between elements is layout, unless it stands beside text or xml:space keeps it. libxml2's rule. */
function withoutBlanks(source: XmlElement): XmlElement['children'] {
  const { children } = source;
  if (children.length < 2 || keepsSpace(source)) return children;
  const textFirst = typeof children[0] === 'string' && children[0].trim() !== '';
  return textFirst ? children : children.filter((child) => typeof child !== 'string' || child.trim() !== '');
}

function keepsSpace(source: XmlElement): boolean {
  for (let element: XmlElement | undefined = source; element !== undefined; element = element.parent) {
    const space = element.attributes.find(({ name }) => name === 'xml:space');
    if (space !== undefined) return space.value === 'preserve';
  }
  return false;
}

/** A kept element as one of a document. */
export function toXml({ name, attributes, children }: ForeignElement): XmlElement {
  const element = newElement(name);
  element.foreign = true;
  element.attributes = attributes.map((attribute) => ({ ...attribute, offset: -1 }));
  for (const child of children) {
    if (typeof child === 'string') element.children.push(child);
    else append(element, toXml(child));
  }
  return element;
}

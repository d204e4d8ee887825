/**
 * Lives here: an XML element as plain data, and what can be asked of one. The
 * same form is read from documents and printed to them. Does not know: the
 * XML library, networks.
 */

/** An element. Made by reading a document, or by a codec that prints one. */
export interface XmlElement {
  /** As written, with its prefix. */
  name: string;
  /** The name without its prefix. */
  local: string;
  /** The namespace's URI; '' for none. */
  namespace: string;
  attributes: XmlAttribute[];
  /** Elements and text, in document order. */
  children: (XmlElement | string)[];
  parent: XmlElement | undefined;
  /** Of the `<` in the document; -1 if it was not read from one. */
  offset: number;
  /** Printed with an end tag even when empty. */
  open?: boolean;
  /** Printed with its children on lines of their own unless it holds text, and double quotes, as libxml2 does. */
  foreign?: boolean;
}

/** An attribute. */
export interface XmlAttribute {
  name: string;
  value: string;
  /** Of the name's first character; -1 as above. */
  offset: number;
}

/** A new element that is no part of a document. */
export function newElement(name: string): XmlElement {
  return { name, local: name.slice(name.indexOf(':') + 1), namespace: '', attributes: [], children: [], parent: undefined, offset: -1 };
}

/** Hangs a new element below another. */
export function append(parent: XmlElement, child: XmlElement): void {
  child.parent = parent;
  parent.children.push(child);
}

/** An element's attribute of this name, or undefined. */
export function findAttribute(element: XmlElement, name: string): XmlAttribute | undefined {
  return element.attributes.find((attribute) => attribute.name === name);
}

/** The elements directly below one. */
export function childElements(element: XmlElement): XmlElement[] {
  return element.children.filter((child): child is XmlElement => typeof child !== 'string');
}

/** All text below an element, at any depth, as XPath's string() gives it. */
export function textOf(element: XmlElement): string {
  return element.children.map((child) => (typeof child === 'string' ? child : textOf(child))).join('');
}

/** Where an element is: `network/ip[2]/dhcp`. The number is left out of an only one. */
export function pathOf(element: XmlElement): string {
  const { parent, name } = element;
  if (parent === undefined) return name;
  let [alike, number] = [0, 0];
  // One pass and no list: there can be tens of thousands, and a hundred of them are pointed at.
  for (const sibling of parent.children) {
    if (typeof sibling === 'string' || sibling.name !== name) continue;
    alike += 1;
    if (sibling === element) number = alike;
  }
  return `${pathOf(parent)}/${name}${alike > 1 ? `[${number}]` : ''}`;
}

/**
 * Lives here: from a document's text to its tree. The only file that imports
 * the XML library. The library builds the tree; our scanner has first proved
 * the text well-formed and says where everything is, and the two must agree on
 * every element, so no document can mean two things. Does not know: networks.
 */
import { XMLParser } from 'fast-xml-parser';
import { illFormed, Positions } from './positions.js';
import { scanXml, xmlLimits, type ScannedDocument, type ScannedElement } from './scan.js';
import type { XmlElement } from './tree.js';

/** A document: its root, and where things are in it. */
export interface XmlDocument {
  root: XmlElement;
  positions: Positions;
}

/**
 * The library refuses or renames elements and attributes with names such as
 * `constructor`. These marks, which no XML name can begin with, make every name
 * an ordinary one.
 */
const elementMark = '~';
const attributeMark = '@';

const library = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: attributeMark,
  transformTagName: (name) => elementMark + name,
  cdataPropName: '#cdata',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  jPath: false,
  maxNestedTags: xmlLimits.depth + 1,
});

/** What the library gives: one key for the name, and `:@` for the attributes. */
type LibraryNode = Record<string, unknown>;

/**
 * Reads a document.
 *
 * @throws {NetworkError} XML_DETAIL with the place of the first fault
 */
export function readXml(text: string): XmlDocument {
  const scanned = scanXml(text);
  const tree = library.parse(scanned.body) as LibraryNode[];
  const marriage = new Marriage(text, scanned);
  const root = tree[0];
  if (tree.length !== 1 || root === undefined) throw marriage.disagreement();
  const element = marriage.element(root, undefined, new Map([['', ''], ['xml', 'http://www.w3.org/XML/1998/namespace']]));
  marriage.end();
  return { root: element, positions: new Positions(text) };
}

/** Prefixes and the URIs they stand for; '' is the default namespace. */
type Scope = ReadonlyMap<string, string>;

/** Walks the library's tree and the scanner's list side by side. */
class Marriage {
  private next = 0;

  constructor(private readonly text: string, private readonly scanned: ScannedDocument) {}

  element(node: LibraryNode, parent: XmlElement | undefined, outer: Scope): XmlElement {
    const scanned = this.scanned.elements[this.next++];
    const key = Object.keys(node).find((name) => name !== ':@') ?? '';
    if (scanned === undefined || key.replace(/^~+/, '') !== scanned.name) throw this.disagreement();
    const element: XmlElement = {
      name: scanned.name, local: scanned.name, namespace: '', parent, offset: scanned.offset, children: [],
      attributes: this.attributes(scanned, (node[':@'] ?? {}) as Record<string, string>),
    };
    const scope = enter(element, outer);
    const colon = element.name.indexOf(':');
    const namespace = scope.get(colon < 0 ? '' : element.name.slice(0, colon));
    element.namespace = namespace ?? '';
    if (namespace !== undefined) element.local = element.name.slice(colon + 1);
    this.fill(element, node[key] as LibraryNode[], scope);
    return element;
  }

  private attributes(scanned: ScannedElement, values: Record<string, string>): XmlElement['attributes'] {
    if (Object.keys(values).length !== scanned.attributes.length) throw this.disagreement();
    return scanned.attributes.map(({ name, offset }) => {
      const value = values[attributeMark + name];
      if (value === undefined) throw this.disagreement();
      return { name, value: decode(value.replace(/[\t\n\r]/g, ' ')), offset };
    });
  }

  private fill(element: XmlElement, nodes: LibraryNode[], scope: Scope): void {
    for (const node of nodes) {
      const plain = node['#text'];
      const literal = node['#cdata'] as LibraryNode[] | undefined;
      if (plain !== undefined) addText(element, decode(String(plain)));
      else if (literal !== undefined) addText(element, String(literal[0]?.['#text'] ?? ''));
      else element.children.push(this.element(node, element, scope));
    }
  }

  /** Both must have come to the end. */
  end(): void {
    if (this.next !== this.scanned.elements.length) throw this.disagreement();
  }

  disagreement(): Error {
    const offset = this.scanned.elements[Math.max(0, this.next - 1)]?.offset ?? 0;
    return illFormed(this.text, offset, 'the document can be read in two ways');
  }
}

/** Text on both sides of a comment or a CDATA section is one text. */
function addText(element: XmlElement, text: string): void {
  const last = element.children.at(-1);
  if (typeof last === 'string') element.children[element.children.length - 1] = last + text;
  else if (text !== '') element.children.push(text);
}

/** The scope inside an element: the outer one, unless it declares namespaces. */
function enter(element: XmlElement, outer: Scope): Scope {
  const declared = element.attributes.filter(({ name }) => name === 'xmlns' || name.startsWith('xmlns:'));
  if (declared.length === 0) return outer;
  return new Map([...outer, ...declared.map(({ name, value }) => [name.slice(6), value] as const)]);
}

const named: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** Replaces the references of a text that the scanner has checked. */
function decode(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#x([0-9a-fA-F]+)|#([0-9]+)|(\w+));/g, (_, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return named[name] ?? '';
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
  });
}

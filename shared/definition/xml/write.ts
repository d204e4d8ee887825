/**
 * Lives here: from a tree to libvirt's text form: two spaces a level, one
 * element a line, single quotes, the five special characters escaped
 * everywhere. Metadata is printed as libxml2 does, in double quotes. Does not
 * know: networks.
 */
import { childElements, type XmlElement } from './tree.js';

const references: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** A text as it stands in libvirt's output; characters that XML cannot hold are dropped, as libvirt does. */
export function escapeXml(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '').replace(/[&<>"']/g, (character) => references[character] ?? character);
}

/** Writes an element and all below it. Ends with a line feed. */
export function writeXml(root: XmlElement): string {
  const lines: string[] = [];
  writeElement(lines, root, '');
  return `${lines.join('\n')}\n`;
}

function writeElement(lines: string[], element: XmlElement, indent: string): void {
  if (element.foreign === true) {
    lines.push(indent + foreignText(element, indent));
    return;
  }
  const attributes = element.attributes.map(({ name, value }) => ` ${name}='${escapeXml(value)}'`).join('');
  const start = `${indent}<${element.name}${attributes}`;
  const [first] = element.children;
  if (first === undefined && element.open !== true) {
    lines.push(`${start}/>`);
  } else if (typeof first === 'string') {
    lines.push(`${start}>${escapeXml(first)}</${element.name}>`);
  } else {
    lines.push(`${start}>`);
    for (const child of childElements(element)) writeElement(lines, child, `${indent}  `);
    lines.push(`${indent}</${element.name}>`);
  }
}

/** A foreign element as libxml2 prints it: indented only where no text would change. */
function foreignText(element: XmlElement, indent: string | undefined): string {
  const attributes = element.attributes.map(({ name, value }) => ` ${name}="${escapeForeignAttribute(value)}"`).join('');
  const start = `<${element.name}${attributes}`;
  if (element.children.length === 0) return `${start}/>`;
  const mixed = indent === undefined || element.children.some((child) => typeof child === 'string');
  const inner = mixed ? undefined : `${indent}  `;
  const content = element.children.map((child) =>
    (inner === undefined ? '' : `\n${inner}`) + (typeof child === 'string' ? escapeForeignText(child) : foreignText(child, inner))).join('');
  return `${start}>${content}${mixed ? '' : `\n${indent}`}</${element.name}>`;
}

function escapeForeignText(text: string): string {
  return text.replace(/[&<>\r]/g, (character) => (character === '\r' ? '&#13;' : references[character] ?? character));
}

function escapeForeignAttribute(text: string): string {
  const escaped = text.replace(/[&<>"\t\n\r]/g, (character) => references[character] ?? `&#${character.charCodeAt(0)};`);
  return escaped.replace(/[^\u0000-\u007f]/gu, (character) => `&#x${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()};`);
}

/**
 * Lives here: where two definitions differ, as paths of their documents. Does
 * not know: any element, or what a difference means.
 */
import { network, type NetworkDefinition } from './network.js';
import { childElements, findAttribute, textOf, type XmlElement } from './xml/tree.js';
import { writeXml } from './xml/write.js';

/**
 * The paths at which a definition differs from an earlier one, in the order of
 * the document: `ip[1]/dhcp/range`, `bridge/@stp`. What is new is named by its
 * place in the later document, what is gone by its place in the earlier one; the
 * number is left out of an only one. Empty if they are the same.
 */
export function differences(before: NetworkDefinition, after: NetworkDefinition): string[] {
  return [...new Set(compare(network.write(before), network.write(after), ''))];
}

function compare(before: XmlElement, after: XmlElement, path: string): string[] {
  if (before.foreign === true || after.foreign === true) return writeXml(before) === writeXml(after) ? [] : [path];
  const names = [...new Set([...after.children, ...before.children].flatMap((child) => (typeof child === 'string' ? [] : [child.name])))];
  const [old, now] = [childElements(before), childElements(after)];
  const text = names.length === 0 && textOf(before) !== textOf(after) ? [path] : [];
  const attributes = attributesOf(before, after).map((name) => join(path, `@${name}`));
  return [...text, ...attributes, ...names.flatMap((name) =>
    compareLists(old.filter((one) => one.name === name), now.filter((one) => one.name === name), join(path, name)))];
}

function attributesOf(before: XmlElement, after: XmlElement): string[] {
  const names = new Set([...after.attributes, ...before.attributes].map(({ name }) => name));
  return [...names].filter((name) => findAttribute(before, name)?.value !== findAttribute(after, name)?.value);
}

/** Elements of one name: those that are the same on both sides are passed over, the others compared in their order. */
function compareLists(before: XmlElement[], after: XmlElement[], path: string): string[] {
  const texts = [before.map(writeXml), after.map(writeXml)] as const;
  const [gone, come] = [leftOver(texts[0], texts[1]), leftOver(texts[1], texts[0])];
  const paired = Math.min(gone.length, come.length);
  const place = (list: XmlElement[], index: number) => (list.length > 1 ? `${path}[${index + 1}]` : path);
  if (gone.length + come.length === 0) return texts[0].join('') === texts[1].join('') ? [] : [path];
  return [
    ...come.slice(0, paired).flatMap((index, i) => compare(before[gone[i]!]!, after[index]!, place(after, index))),
    ...come.slice(paired).map((index) => place(after, index)),
    ...gone.slice(paired).map((index) => place(before, index)),
  ];
}

/** The indexes of the texts that another list does not have, each as often as it stands there. */
function leftOver(texts: readonly string[], others: readonly string[]): number[] {
  const count = new Map<string, number>();
  for (const text of others) count.set(text, (count.get(text) ?? 0) + 1);
  return texts.flatMap((text, index) => {
    const left = count.get(text) ?? 0;
    count.set(text, left - 1);
    return left > 0 ? [] : [index];
  });
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

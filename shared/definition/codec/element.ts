/**
 * Lives here: the declaration of an element: one list of fields, in the order
 * they are printed, gives its reading and its printing, checked by the
 * compiler against the interface it stands for. Does not know: which elements
 * there are.
 */
import { ErrorCode } from '../../errors.js';
import { newElement, type XmlElement } from '../xml/tree.js';
import type { Report } from './report.js';

/** One member of an interface: an attribute, a child, a list of children, or the element's text. */
export interface Field<T, Owner = never> {
  /** The attributes it reads, or knows and ignores. */
  attributes?: readonly string[];
  /** The child elements it reads; `prefix:name` where the format has a namespace. */
  elements?: readonly string[];
  /** Whether several children of the name are read, not only the first. */
  many?: boolean;
  /** Reads the element's text. */
  text?: boolean;
  /** Gives undefined for what is absent; reports what is wrong and then gives {@link spoilt}. */
  read(element: XmlElement, report: Report): T | undefined | typeof spoilt;
  /** Adds to the element what the value is printed as. */
  write(element: XmlElement, value: T | undefined, owner: Owner): void;
}

/** What a field gives whose problem is reported already. */
export const spoilt = Symbol('spoilt');

/** A field for every member of an interface. */
export type Fields<T> = { [K in keyof Required<T>]: Field<NonNullable<T[K]>, T> };

/** A rule on one part of a definition. It looks only at sound ones. */
export type PartRule<T> = (part: T, report: Report) => void;

/** How an element is read and printed. */
export interface ElementCodec<T extends object> {
  /** The element's name; with its prefix if the format gives it one. */
  name: string;
  /** Reads one; undefined if it comes to nothing, as libvirt has it. Reports every problem in it. */
  read(element: XmlElement, report: Report): T | undefined;
  /** The element that this value is printed as. */
  write(value: T): XmlElement;
}

/** What may stand in an element. */
interface Known {
  attributes: ReadonlySet<string>;
  elements: ReadonlySet<string>;
  /** Those of which only the first counts. */
  single: ReadonlySet<string>;
  text: boolean;
}

/** What an element has beside its fields. */
export interface ElementOptions<T extends object> {
  /**
   * The order libvirt reads and checks in, as far as it is not the order of
   * printing; the other fields follow. It decides which of several problems
   * gives an error its code. A rule in it sees what was read before it.
   */
  readFirst?: readonly (keyof T | PartRule<T>)[];
  /** Known to the format, but nothing for us to keep. */
  ignored?: { attributes?: readonly string[]; elements?: readonly string[] };
  /** The parser's rules on this element and what is in it; they see it in full. */
  rules?: readonly PartRule<T>[];
  /** Rules apply though a field is missing, for they look at sound parts alone. */
  resilient?: boolean;
  /** Makes a value normal after it was read and found right; undefined drops the element. */
  finish?(value: T): T | undefined;
  /** Makes a value ready for print. */
  prepare?(value: T): T;
  /** Never printed as `<name/>`. */
  open?: boolean;
}

/** Declares an element. */
export function element<T extends object>(name: string, fields: Fields<T>, options: ElementOptions<T> = {}): ElementCodec<T> {
  const printed = Object.keys(fields) as (keyof T & string)[];
  const first: readonly (keyof T | PartRule<T>)[] = options.readFirst ?? [];
  const steps = [...first, ...printed.filter((key) => !first.includes(key))];
  const all = printed.map((key) => fields[key] as Field<unknown, T>);
  const known: Known = {
    attributes: new Set([...all.flatMap((field) => field.attributes ?? []), ...options.ignored?.attributes ?? []]),
    elements: new Set([...all.flatMap((field) => field.elements ?? []), ...options.ignored?.elements ?? []]),
    single: new Set(all.flatMap((field) => (field.many === true ? [] : field.elements ?? []))),
    text: all.some((field) => field.text === true),
  };
  return {
    name,
    read(source, report) {
      reportUnknown(source, known, report);
      const part = {} as T;
      report.tie(part, source);
      for (const step of steps) {
        if (typeof step !== 'function') readField(part, step, fields, source, report);
        else applyRules(part, [step], report, options);
      }
      applyRules(part, options.rules ?? [], report, options);
      if (options.finish === undefined || !report.sound(part)) return part;
      const finished = options.finish(part);
      if (finished !== undefined && finished !== part) report.tie(finished, source);
      return finished;
    },
    write(value) {
      const target = newElement(name);
      target.namespace = namespaces[name.slice(0, Math.max(name.indexOf(':'), 0))] ?? '';
      if (options.open === true) target.open = true;
      const ready = options.prepare?.(value) ?? value;
      for (const key of printed) (fields[key] as Field<unknown, T>).write(target, ready[key], ready);
      return target;
    },
  };
}

/** Reads one field of a part, and marks the part if it is not right. */
function readField<T extends object, K extends keyof T>(part: T, key: K, fields: Fields<T>, source: XmlElement, report: Report): void {
  const value = fields[key].read(source, report);
  if (value === spoilt) report.spoil(part);
  else if (value !== undefined) part[key] = value as T[K];
}

/** Applies rules to a part whose fields are right, and marks it if one of them minds something. */
function applyRules<T extends object>(part: T, rules: readonly PartRule<T>[], report: Report, { resilient }: ElementOptions<T>): void {
  if (resilient !== true && !report.sound(part)) return;
  const before = report.count;
  for (const rule of rules) rule(part, report);
  if (report.count > before) report.spoil(part);
}

/**
 * Says what an element holds that the format does not know. libvirt leaves it
 * out in silence, or refuses it when its schema is asked.
 */
function reportUnknown(source: XmlElement, known: Known, report: Report): void {
  for (const { name } of source.attributes) {
    if (known.attributes.has(name) || name === 'xmlns' || name.startsWith('xmlns:')) continue;
    report.unknown(source, `attribute '${name}' is not part of the format`, name);
  }
  const seen = new Set<string>();
  for (const child of source.children) {
    if (typeof child === 'string') {
      if (!known.text && child.trim() !== '') report.unknown(source, `text is not allowed here: '${excerpt(child.trim())}'`);
      continue;
    }
    const name = formatName(child);
    if (name === undefined || !known.elements.has(name)) report.unknown(child, 'element is not part of the format');
    else if (known.single.has(name) && seen.has(name)) report.unknown(child, 'only the first element of this name counts');
    else seen.add(name);
  }
}

/** The namespaces of the format beside none, each by its prefix in print: libvirt's for dnsmasq, and vnet's own. */
export const namespaces: Readonly<Record<string, string>> = {
  dnsmasq: 'http://libvirt.org/schemas/network/dnsmasq/1.0',
  vnet: 'urn:vnet:network:1',
};

const prefixes = new Map(Object.entries(namespaces).map(([prefix, namespace]) => [namespace, prefix]));

/** What the format calls an element: its name without namespace, `dnsmasq:name` in dnsmasq's; undefined in one that is none of the format's. */
export function formatName({ namespace, local }: XmlElement): string | undefined {
  if (namespace === '') return local;
  const prefix = prefixes.get(namespace);
  return prefix === undefined ? undefined : `${prefix}:${local}`;
}

/** The children that the format calls so. */
export function childrenNamed(source: XmlElement, name: string): XmlElement[] {
  return source.children.filter((child): child is XmlElement => typeof child !== 'string' && formatName(child) === name);
}


/** A value as it stands in a message: short, in quotes, nothing in it that could disturb a terminal. */
export function excerpt(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return short.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The code for what XML allows and the format does not, unless a field says otherwise. */
export const defaultCode = ErrorCode.XML_ERROR;

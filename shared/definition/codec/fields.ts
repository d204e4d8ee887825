/**
 * Lives here: the kinds of fields an element can have: attribute, child,
 * children, text. Does not know: which elements there are.
 */
import type { ErrorCode } from '../../errors.js';
import { append, findAttribute, textOf, type XmlElement } from '../xml/tree.js';
import { childrenNamed, defaultCode, element, excerpt, spoilt, type ElementCodec, type Field } from './element.js';
import type { Report } from './report.js';
import { Refusal, type ValueCodec } from './values.js';

/** What may be said of a field that holds one value. */
export interface ValueOptions<T, Owner = never> {
  /** The error for a value that is not allowed; XML_ERROR if not given. */
  invalid?: ErrorCode;
  /** The value must be there; the error if it is not. */
  required?: ErrorCode;
  /** An empty value is an absent one; libvirt has it so wherever it reads through XPath. */
  emptyIsAbsent?: boolean;
  /** What stands for an absent value. */
  fallback?: T;
  /** Whether the value is printed at all. */
  printIf?: (value: T, owner: Owner) => boolean;
}

/** An attribute of the element itself. */
export function attribute<T, Owner = never>(name: string, codec: ValueCodec<T>, options: ValueOptions<T, Owner> = {}): Field<T, Owner> {
  return {
    attributes: [name],
    read: (source, report) => parseValue(findAttribute(source, name)?.value, codec, options, source, report, name),
    write: (target, value, owner) => {
      if (value === undefined || options.printIf?.(value, owner) === false) return;
      target.attributes.push({ name, value: codec.format(value), offset: -1 });
    },
  };
}

/** The text of a child that has nothing else: `<name>default</name>`. */
export function childText<T extends {}>(name: string, codec: ValueCodec<T>, options: ValueOptions<T> = {}): Field<T> {
  return unwrapped(element<{ value: T }>(name, { value: text(codec, options) }), options);
}

/** The one attribute of a child that has nothing else: `<mtu size='9000'/>`. */
export function childAttribute<T extends {}>(child: string, name: string, codec: ValueCodec<T>, options: ValueOptions<T> = {}): Field<T> {
  return unwrapped(element<{ value: T }>(child, { value: attribute(name, codec, options) }), {});
}

/** The element's own text. */
export function text<T>(codec: ValueCodec<T>, options: ValueOptions<T> = {}): Field<T> {
  return {
    text: true,
    read: (source, report) => parseValue(textOf(source), codec, options, source, report),
    write: (target, value) => {
      if (value !== undefined) target.children.push(codec.format(value));
    },
  };
}

/** A child element; the first of its name counts. */
export function child<T extends object, Owner = never>(codec: ElementCodec<T>, options: { required?: ErrorCode } = {}): Field<T, Owner> {
  return {
    elements: [codec.name],
    read: (source, report) => {
      const [found] = childrenNamed(source, codec.name);
      if (found === undefined) return absent(options.required, source, `element <${codec.name}> is missing`, report);
      // What is wrong inside it is its own affair: it stays in place as an unsound part.
      return codec.read(found, report);
    },
    write: (target, value) => {
      if (value !== undefined) append(target, codec.write(value));
    },
  };
}

/** All children of a name. */
export function children<T extends object>(codec: ElementCodec<T>, options: { required?: ErrorCode } = {}): Field<T[]> {
  return {
    elements: [codec.name],
    many: true,
    read: (source, report) => {
      const found = childrenNamed(source, codec.name);
      if (found.length === 0 && options.required !== undefined) return absent(options.required, source, `element <${codec.name}> is missing`, report);
      return found.flatMap((one) => codec.read(one, report) ?? []);
    },
    write: (target, value) => {
      for (const part of value ?? []) append(target, codec.write(part));
    },
  };
}

/** All children of a name that hold one value each: `<interface dev='eth0'/>`, `<hostname>a</hostname>`. */
export function childValues<T>(codec: ElementCodec<{ value: T }>, options: { required?: ErrorCode } = {}): Field<T[]> {
  const whole = children(codec, options);
  return {
    ...whole,
    read: (source, report) => {
      const parts = whole.read(source, report);
      if (parts === undefined || parts === spoilt) return parts;
      return parts.every((part) => report.sound(part)) ? parts.map((part) => part.value) : spoilt;
    },
    write: (target, values, owner) => whole.write(target, values?.map((value) => ({ value })), owner),
  };
}

/** A field whose value is kept in another form than it is read. */
export function mapped<A, B, Owner = never>(field: Field<A, Owner>, to: (value: A) => B | undefined, from: (value: B) => A | undefined): Field<B, Owner> {
  return {
    ...field,
    read: (source, report) => {
      const value = field.read(source, report);
      return value === undefined || value === spoilt ? value as undefined | typeof spoilt : to(value as A);
    },
    write: (target, value, owner) => field.write(target, value === undefined ? undefined : from(value), owner),
  };
}

/** A child's only value in place of the child. */
function unwrapped<T>(codec: ElementCodec<{ value: T }>, options: { required?: ErrorCode }): Field<T> {
  const whole = child(codec, options);
  return {
    ...whole,
    read: (source, report) => {
      const part = whole.read(source, report);
      if (part === undefined || part === spoilt) return part;
      return report.sound(part) ? part.value : spoilt;
    },
    write: (target, value, owner) => whole.write(target, value === undefined ? undefined : { value }, owner),
  };
}

function parseValue<T>(
  found: string | undefined, codec: ValueCodec<T>, options: ValueOptions<T>, source: XmlElement, report: Report, name?: string,
): T | undefined | typeof spoilt {
  if (found === undefined || (found === '' && options.emptyIsAbsent === true)) {
    if (options.fallback !== undefined) return options.fallback;
    const what = name === undefined ? `the text of <${source.name}>` : `attribute '${name}'`;
    return absent(options.required, source, `${what} is missing; allowed: ${codec.allowed}`, report);
  }
  const value = codec.parse(found);
  if (!(value instanceof Refusal)) return value;
  const message = `found '${excerpt(found)}'${value.reason === undefined ? '' : `, ${value.reason}`}; allowed: ${codec.allowed}`;
  report.problemAt(value.code ?? options.invalid ?? defaultCode, source, message, name);
  return spoilt;
}

function absent(required: ErrorCode | undefined, source: XmlElement, message: string, report: Report): undefined | typeof spoilt {
  if (required === undefined) return undefined;
  report.problemAt(required, source, message);
  return spoilt;
}

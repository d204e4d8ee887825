/**
 * Lives here: the kinds of fields an element can have: attribute, child,
 * children, text. Does not know: which elements there are.
 */
import { ErrorCode } from '../../errors.js';
import { findAttribute, newElement, textOf, type XmlElement } from '../xml/tree.js';
import { add, childrenNamed, defaultCode, excerpt, spoilt, type ElementCodec, type Field } from './element.js';
import type { Report } from './report.js';
import { Refusal, type ValueCodec } from './values.js';

/** What may be said of a field that holds one value. */
export interface ValueOptions<T, Owner = never> {
  /** The error for a value that is not allowed; XML_ERROR if not given. */
  invalid?: ErrorCode;
  /** The value must be there; the error if it is not. */
  required?: ErrorCode;
  /** An empty value is an absent one. libvirt has it so wherever it reads through XPath. */
  emptyIsAbsent?: boolean;
  /** Values that print as nothing, and are read as nothing. */
  void?: (value: T) => boolean;
  /** Whether this owner prints the attribute at all. */
  printIf?: (owner: Owner) => boolean;
  /** What stands for an absent attribute. */
  fallback?: T;
}

/** An attribute of the element itself. */
export function attribute<T, Owner = never>(name: string, codec: ValueCodec<T>, options: ValueOptions<T, Owner> = {}): Field<T, Owner> {
  return {
    attributes: [name],
    read: (source, report) => readAttribute(source, name, codec, options, report),
    write: (target, value, owner) => {
      if (value === undefined || options.void?.(value) === true || options.printIf?.(owner) === false) return;
      target.attributes.push({ name, value: codec.format(value), offset: -1 });
    },
  };
}

/** The only attribute of a child that has nothing else: `<mtu size='9000'/>`. */
export function childAttribute<T, Owner = never>(child: string, name: string, codec: ValueCodec<T>, options: ValueOptions<T, Owner> = {}): Field<T, Owner> {
  const inner = attribute<T, Owner>(name, codec, options);
  return {
    elements: [child],
    read: (source, report) => {
      const [found] = childrenNamed(source, child);
      if (found === undefined) return undefined;
      report.checkKnown(found, [name]);
      return inner.read(found, report);
    },
    write: (target, value, owner) => {
      if (value === undefined || options.void?.(value) === true) return;
      const made = newElement(child);
      inner.write(made, value, owner);
      add(target, made);
    },
  };
}

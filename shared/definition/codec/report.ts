/**
 * Lives here: what is found wrong with a definition while it is read or
 * checked, and where each part of the definition stands in its document. Does
 * not know: which rules there are.
 */
import { ErrorCode, NetworkError, type Problem } from '../../errors.js';
import type { Positions } from '../xml/positions.js';
import { findAttribute, pathOf, type XmlElement } from '../xml/tree.js';

/** So many problems, and warnings, are worth reading; the rest is only counted. */
const mostReported = 100;

/** A problem with what sorting it takes. */
interface Found {
  problem: Problem;
  offset: number;
}

/**
 * The findings of one pass over one definition. Parts of the definition are
 * tied to the elements they came from, so that a rule only names the part it
 * minds.
 */
export class Report {
  readonly warnings: string[] = [];
  private readonly found: Found[] = [];
  private readonly origins = new Map<object, XmlElement>();
  private readonly unsound = new Set<object>();
  private problemCount = 0;
  private schemaFirst: Found | undefined;

  /** @param strict what the format does not know is a problem, not a warning */
  constructor(private readonly positions?: Positions, private readonly strict = false) {}

  /** Remembers the element that a part of the definition came from. */
  tie(part: object, element: XmlElement): void {
    this.origins.set(part, element);
  }

  /**
   * Marks a part as not fully read. Its own faults are reported already; rules
   * that look at several parts leave it out, so that one fault is one problem.
   */
  spoil(part: object): void {
    this.unsound.add(part);
  }

  /** Whether a part was read in full. */
  sound(part: object): boolean {
    return !this.unsound.has(part);
  }

  /** Whether the document writes an attribute at a part, whatever its value. */
  writes(part: object, attribute: string): boolean {
    const element = this.origins.get(part);
    return element !== undefined && findAttribute(element, attribute) !== undefined;
  }

  /** The elements below a part that have this name; for rules on what is not kept. */
  elementsIn(part: object, name: string): XmlElement[] {
    const element = this.origins.get(part);
    return (element?.children ?? []).filter((child): child is XmlElement => typeof child !== 'string' && child.name === name);
  }

  /** Reports a problem of a part, or of one of its attributes. */
  problem(code: ErrorCode, part: object, message: string, attribute?: string): void {
    const element = this.origins.get(part);
    if (element !== undefined) this.problemAt(code, element, message, attribute);
    else this.add({ problem: { code, line: 0, column: 0, path: 'network', message }, offset: -1 });
  }

  /** Reports a problem of the first child of this name in a part. */
  childProblem(code: ErrorCode, part: object, name: string, message: string): void {
    const [first] = this.elementsIn(part, name);
    if (first === undefined) this.problem(code, part, message);
    else this.problemAt(code, first, message);
  }

  /** Reports a problem of an element, or of one of its attributes. */
  problemAt(code: ErrorCode, element: XmlElement, message: string, attribute?: string): void {
    if (this.found.length >= mostReported) {
      this.problemCount += 1;
      return;
    }
    const written = attribute === undefined ? undefined : findAttribute(element, attribute);
    const offset = written?.offset ?? element.offset;
    const path = attribute === undefined ? pathOf(element) : `${pathOf(element)}/@${attribute}`;
    const { line, column } = this.positions?.at(offset) ?? { line: 0, column: 0 };
    this.add({ problem: { code, line, column, path, message }, offset });
  }

  /** Reports what the format does not know, as a problem or as a warning that it was left out. */
  unknown(element: XmlElement, message: string, attribute?: string): void {
    if (this.strict) this.problemAt(ErrorCode.XML_INVALID_SCHEMA, element, message, attribute);
    else this.warn(element, `${message}; it was left out`, attribute);
  }

  /** As {@link unknown}, for an attribute of a part. */
  unknownIn(part: object, message: string, attribute: string): void {
    const element = this.origins.get(part);
    if (element !== undefined) this.unknown(element, message, attribute);
  }

  private warn(element: XmlElement, message: string, attribute?: string): void {
    if (this.warnings.length > mostReported) return;
    if (this.warnings.length === mostReported) {
      this.warnings.push('there are more of these');
      return;
    }
    const written = attribute === undefined ? undefined : findAttribute(element, attribute);
    const { line, column } = this.positions?.at(written?.offset ?? element.offset) ?? { line: 0, column: 0 };
    this.warnings.push(`line ${line}, column ${column}: ${pathOf(element)}: ${message}`);
  }

  private add(found: Found): void {
    this.problemCount += 1;
    this.found.push(found);
    if (found.problem.code === ErrorCode.XML_INVALID_SCHEMA) this.schemaFirst ??= found;
  }

  /** How many problems there are so far. */
  get count(): number {
    return this.problemCount;
  }

  /** Everything found wrong, in document order. */
  get problems(): Problem[] {
    return [...this.found].sort((a, b) => a.offset - b.offset).map(({ problem }) => problem);
  }

  /**
   * The error for all of it, or undefined. Its code is that of the problem
   * libvirt would have stopped at: the schema's if it was asked for, else the
   * first in the order of reading.
   */
  error(): NetworkError | undefined {
    const first = (this.schemaFirst ?? this.found[0])?.problem;
    if (first === undefined) return undefined;
    const more = this.problemCount - 1;
    const others = more === 0 ? '' : more === 1 ? ' (and 1 more problem)' : ` (and ${more} more problems)`;
    return new NetworkError(first.code, `${describeProblem(first)}${others}`, { problems: this.problems });
  }
}

/** A problem as one line: `line 5, column 9: network/ip/@prefix: found '40'; allowed: ...`. */
export function describeProblem({ line, column, path, message }: Problem): string {
  const place = line === 0 ? '' : `line ${line}, column ${column}: `;
  return `${place}${path === '' ? '' : `${path}: `}${message}`;
}

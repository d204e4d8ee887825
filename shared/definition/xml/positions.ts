/**
 * Lives here: from an offset in a text to its line and column, and the one
 * error of a text that is no XML document. Does not know: what the text says.
 */
import { ErrorCode, NetworkError, type Problem } from '../../errors.js';

/** A place in a document: line and column from 1, the column in characters. */
export interface Position {
  line: number;
  column: number;
}

/** Finds lines and columns in one text; the lines are counted once, at the first question. */
export class Positions {
  private starts: number[] | undefined;

  constructor(private readonly text: string) {}

  /** Where an offset (in UTF-16 units) is; line and column 0 for a negative one. */
  at(offset: number): Position {
    if (offset < 0) return { line: 0, column: 0 };
    this.starts ??= lineStarts(this.text);
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const column = charactersBetween(this.text, this.starts[low] ?? 0, offset) + 1;
    return { line: low + 1, column };
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0xa || (code === 0xd && text.charCodeAt(i + 1) !== 0xa)) starts.push(i + 1);
  }
  return starts;
}

/** The number of code points in a slice of a text. */
function charactersBetween(text: string, start: number, end: number): number {
  let pairs = 0;
  for (let i = start + 1; i < end; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xdc00 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) pairs += 1;
  }
  return end - start - pairs;
}

/**
 * The error of a text that cannot be read as XML: XML_DETAIL with the place,
 * as libvirt gives it. Reading ends at the first such fault.
 */
export function illFormed(text: string, offset: number, message: string): NetworkError {
  const { line, column } = new Positions(text).at(offset);
  const problem: Problem = { code: ErrorCode.XML_DETAIL, line, column, path: '', message };
  const place = line === 0 ? '' : `line ${line}, column ${column}: `;
  return new NetworkError(ErrorCode.XML_DETAIL, `${place}${message}`, { problems: [problem] });
}

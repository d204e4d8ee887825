/**
 * Lives here: tables as virsh prints them. Does not know: what is in them.
 */
import { escapeLine, widthOf } from './escape.js';

/** How to print a table. */
export interface TableOptions {
  /** Only the rows: no heading, no rule. */
  quiet?: boolean;
  /** Leave out columns from the right until it is no wider than this. */
  maxWidth?: number | undefined;
}

/**
 * Renders a table: a space before each cell, two after it, a rule below the
 * heading. Cells are left-aligned and escaped.
 */
export function renderTable(heading: readonly string[], rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const lines = (options.quiet === true ? rows : [heading, ...rows]).map((cells) => cells.map(escapeLine));
  const widths = heading.map((_, i) => Math.max(0, ...lines.map((cells) => widthOf(cells[i] ?? ''))));
  const { maxWidth = Infinity } = options;
  while (widths.length > 1 && ruleWidth(widths) - 2 > maxWidth) widths.pop();
  const [first, ...rest] = lines.map((cells) => renderRow(cells, widths));
  if (first === undefined) return '';
  return (options.quiet === true ? [first, ...rest] : [first, '-'.repeat(ruleWidth(widths)), ...rest]).map((line) => `${line}\n`).join('');
}

/** The rule is as wide as all columns, with three for each: the spaces around it. */
function ruleWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width + 3, 0);
}

function renderRow(cells: readonly string[], widths: readonly number[]): string {
  return widths.map((width, i) => {
    const cell = cells[i] ?? '';
    return ` ${cell}${i === widths.length - 1 ? '' : ' '.repeat(width - widthOf(cell) + 2)}`;
  }).join('');
}

/** Renders one `Name:   value` line as virsh does. */
export function renderField(name: string, value: string): string {
  return `${`${name}:`.padEnd(15)} ${escapeLine(value)}\n`;
}

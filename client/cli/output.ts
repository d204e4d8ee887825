/**
 * Lives here: the formats that programs read. Does not know: which command
 * gives what.
 */
import type { Format } from './command.js';
import { escapeJson, escapeLine, hasUnprintable } from './escape.js';

/** One thing that a command gives. */
export type OutputRecord = Readonly<Record<string, unknown>>;

/**
 * Renders what a command gives: as JSON and YAML one list, even of one record;
 * as a name or a UUID a line for each. Nothing in it acts on a terminal.
 */
export async function renderRecords(records: readonly OutputRecord[], format: Exclude<Format, 'table'>): Promise<string> {
  switch (format) {
    case 'json':
      return `${escapeJson(JSON.stringify(records, null, 2))}\n`;
    case 'yaml':
      return renderYaml(records);
    default:
      return records.map((record) => `${escapeLine(String(record[format]))}\n`).join('');
  }
}

async function renderYaml(records: readonly OutputRecord[]): Promise<string> {
  const { Document, visit } = await import('yaml');
  const document = new Document(records);
  // Only a quoted scalar can hold an escape.
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && hasUnprintable(node.value.replaceAll('\n', ''))) node.type = 'QUOTE_DOUBLE';
    },
  });
  return escapeJson(document.toString({ lineWidth: 0 }));
}

/**
 * Lives here: what is known of a saved definition beside its text: its
 * revision, when it was saved and by what, and how a file says so in its first
 * line. Does not know: where the files are, what a definition says.
 */

/** How many earlier versions of each definition are kept if nobody says otherwise. */
export const usualKeep = 10;

/** The version of the layout of saved definitions; a later daemon reads the earlier ones. Files without a version are older. */
export const definitionFormat = 1;

/** Which revision of a definition it is. */
export interface Stamp {
  /** From 1; one more each time that the definition of this UUID is saved. */
  revision: number;
  /** When it was saved, in milliseconds since 1970; 0 if that is not known. */
  timeMs: number;
  /** By what: `define`, `update`, `metadata`, `rollback to 3`; empty if that is not known. */
  cause: string;
}

/** Whose revision a definition is. */
export interface Revised {
  uuid: string;
  stamp: Stamp;
}

/** A version of a definition. */
export interface Version extends Stamp {
  xml: string;
}

/** A file that a later vnetd wrote: it is not read, and not touched. */
export class LaterFormat extends Error {
  constructor(found: number, known: number) {
    super(`its format is version ${found}, of a later vnetd; this one reads up to version ${known}`);
  }
}

/** The stamp of a definition that says nothing of itself, as one that a person or an earlier vnetd wrote. */
export function unknownStamp(revision: number): Stamp {
  return { revision, timeMs: 0, cause: '' };
}

/** The first line of a saved definition, for the person who opens the file and for {@link parseSaved}. */
export function formatHeading({ revision, timeMs, cause }: Stamp = unknownStamp(0)): string {
  if (!/^[a-z0-9 ]*$/.test(cause)) throw new Error(`cause ${JSON.stringify(cause)} cannot stand in a comment`);
  const when = timeMs === 0 ? '' : ` at ${new Date(timeMs).toISOString()}`;
  const by = cause === '' ? '' : ` by ${cause}`;
  return `<!-- Saved by vnetd, format ${definitionFormat}${revision === 0 ? '' : `, revision ${revision}${when}${by}`}. While it runs, change this with: vnet edit NETWORK -->\n`;
}

/**
 * A saved definition and, if its first line tells, its stamp. The line is no
 * part of the definition.
 *
 * @throws {LaterFormat} if a later vnetd wrote it
 */
export function parseSaved(text: string): { xml: string; stamp?: Stamp } {
  const [line = ''] = text.split('\n', 1);
  const [, format] = /^<!-- Saved by vnetd, format (\d{1,9})\b/.exec(line) ?? [];
  if (format === undefined) return { xml: text };
  if (Number(format) > definitionFormat) throw new LaterFormat(Number(format), definitionFormat);
  const xml = text.slice(line.length + 1);
  const [, revision, at, cause = ''] = /, revision ([1-9]\d{0,8})(?: at (\S+Z))?(?: by ([a-z0-9 ]+))?\. /.exec(line) ?? [];
  return revision === undefined ? { xml } : { xml, stamp: { revision: Number(revision), timeMs: at === undefined ? 0 : Date.parse(at) || 0, cause } };
}

/** Which revisions are too many: all but the highest ones. */
export function outOfDate(revisions: readonly number[], keep: number): number[] {
  return [...revisions].sort((a, b) => b - a).slice(keep);
}

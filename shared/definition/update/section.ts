/**
 * Lives here: what every section of an update has in common: its commands,
 * putting a part into a list or taking it out, and libvirt's refusals. Does
 * not know: any section.
 */
import { ErrorCode, NetworkError } from '../../errors.js';
import { updateCommands, type UpdateCommandWord, type UpdateSectionWord } from '../../update-words.js';
import type { NetworkDefinition } from '../network.js';

/** One change of a definition. */
export interface Update {
  /** Undefined for a number that is no command. */
  command: UpdateCommandWord | undefined;
  /** Undefined for a number that is no section. */
  section: UpdateSectionWord | undefined;
  /** For the DHCP sections: which `<ip>`, from 0; undefined or negative: the one that fits. */
  parentIndex?: number | undefined;
  /** The part, as an XML element. */
  xml: string;
}

/** Changes one section of a definition; the definition given stays as it is. @throws {NetworkError} as applyUpdate */
export type SectionUpdate = (definition: NetworkDefinition, update: Update) => NetworkDefinition;

/** The error for a part that clashes with one that is there, or is not there. */
export function clash(message: string): NetworkError {
  return new NetworkError(ErrorCode.OPERATION_INVALID, message);
}

/** Refuses a command that is none. @throws {NetworkError} OPERATION_UNSUPPORTED */
export function refuseCommand({ command }: Update): never {
  throw new NetworkError(ErrorCode.OPERATION_UNSUPPORTED, `unrecognized network update command${command === undefined ? '' : ` '${command}'`}`, {
    hint: `known commands: ${updateCommands.slice(1).join(', ')}`,
  });
}

/** Refuses to modify parts that have nothing but their key. @throws {NetworkError} OPERATION_UNSUPPORTED */
export function refuseModify({ command }: Update, parts: string): void {
  if (command !== 'modify') return;
  throw new NetworkError(ErrorCode.OPERATION_UNSUPPORTED, `${parts} cannot be modified, only added or deleted`, {
    hint: 'delete the old one and add the new one',
  });
}

/** Whether the update adds a part. */
export function adds({ command }: Update): boolean {
  return command === 'add-last' || command === 'add-first';
}

/** A list with one more part, at the end the command names. */
export function added<T>(list: readonly T[], part: T, { command }: Update): T[] {
  return command === 'add-first' ? [part, ...list] : [...list, part];
}

/** A list without the part at an index. */
export function without<T>(list: readonly T[], index: number): T[] {
  return list.filter((_, i) => i !== index);
}

/** A list with another part at an index. */
export function replaced<T>(list: readonly T[], index: number, part: T): T[] {
  return list.map((old, i) => (i === index ? part : old));
}

/** A part as libvirt names it in its refusals: `<host mac='...' ip='...'/>`. */
export function describePart(name: string, attributes: Record<string, string | undefined>): string {
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined).map(([key, value]) => ` ${key}='${value}'`);
  return `<${name}${given.join('')}/>`;
}

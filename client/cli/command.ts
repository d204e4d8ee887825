/**
 * Lives here: what a command is, as data. The table of commands in
 * `commands.ts` is the one source of the parser, the help, completion and the
 * man page. Does not know: any command.
 */
import type { NetworkFilter } from '../connection.js';
import type { Call } from './call.js';

/** The forms that output can have. `table` is the one for people. */
export const formats = ['table', 'json', 'yaml', 'name', 'uuid'] as const;
export type Format = (typeof formats)[number];

/** Those that programs read, for commands whose answer is data. */
export const dataFormats = ['json', 'yaml'] as const;

/** What a word on the command line stands for; completion goes by it. */
export type ArgumentKind = 'network' | 'port' | 'file' | 'shell' | 'command' | 'text';

/** A word that follows a command. As in virsh it can also be given as an option of the same name. */
export interface Argument {
  name: string;
  kind: ArgumentKind;
  summary: string;
  /** One or more words. */
  many?: boolean;
  /** May be left out. */
  optional?: boolean;
  /** The words it can be, for completion, if they are few. */
  choices?: readonly string[];
  /** An empty word means something. */
  empty?: boolean;
  /** Networks for which the command makes sense; completion offers only these. */
  filter?: NetworkFilter;
}

/** An option of a command, or of the program. */
export interface Option {
  name: string;
  /** One letter, for `-c`. */
  short?: string;
  /** What its value is called in help; absent: a switch. */
  value?: string;
  /** The values it can have, if they are few. */
  choices?: readonly string[];
  summary: string;
}

/** One command. */
export interface Command {
  name: string;
  /** Its other names: first virsh's, if virsh has it. */
  aliases?: readonly string[];
  summary: string;
  /** More about it, in sentences, for help and the man page. */
  description?: string;
  arguments?: readonly Argument[];
  options?: readonly Option[];
  /** The forms its output can have besides `table`. */
  formats?: readonly Format[];
  /** Left out of the overview; its name still works. */
  hidden?: boolean;
  /** Its output goes to a program: no empty line after it. */
  bare?: boolean;
  /** Does it. Fails by throwing. */
  run(call: Call): Promise<void>;
}

/** Every name a command goes by. */
export function namesOf(command: Command): string[] {
  return [command.name, ...(command.aliases ?? [])];
}

/** The words after the command's name, as help shows them: `<network>... [--disable]`. */
export function synopsisOf(command: Command): string {
  const words = (command.arguments ?? []).map(({ name, many, optional }) => {
    const word = `<${name}>${many === true ? '...' : ''}`;
    return optional === true ? `[${word}]` : word;
  });
  return [...words, ...(command.options ?? []).map((option) => `[${spellingOf(option)}]`)].join(' ');
}

/** An option as help shows it: `-c, --connect URI`, or `--connect URI` without its letter. */
export function spellingOf({ name, short, value }: Option, withLetter = false): string {
  const letter = withLetter && short !== undefined ? `-${short}, ` : '';
  return `${letter}--${name}${value === undefined ? '' : ` ${value}`}`;
}

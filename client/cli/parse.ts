/**
 * Lives here: from the words of a command line to a command with its
 * arguments and options, by the table of commands. Does not know: what the
 * commands do.
 */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { formats, namesOf, type Argument, type Command, type Format, type Option } from './command.js';
import { commands, familyOf, findCommand, globalOptions } from './commands.js';
import { UsageError } from './failure.js';
import { didYouMean } from './suggest.js';

/** A command line that was understood. */
export interface Invocation {
  /** Absent: only options were given. */
  command?: Command;
  /** The words for each argument, by the argument's name. */
  words: Map<string, string[]>;
  /** The options given: a switch is true, others have their value. */
  options: Map<string, string | true>;
}

type Token = { kind: 'option'; name: string; rawName: string; value: string | undefined } | { kind: 'positional'; index: number; value: string };

/**
 * Reads a command line.
 *
 * @param argv the words after the program's name
 * @throws {UsageError} worded as virsh does
 */
export function parseCommandLine(argv: readonly string[]): Invocation {
  const [verb, second] = tokensOf(argv, globalOptions).filter((token) => token.kind === 'positional');
  if (verb === undefined) return { words: new Map(), options: readOptions(tokensOf(argv, globalOptions), undefined, globalOptions, new Map()) };
  const family = familyOf(verb.value);
  const spelling = family.length > 0 ? [verb, ...(second === undefined ? [] : [second])].map(({ value }) => value).join(' ') : verb.value;
  const command = findCommand(spelling);
  if (command === undefined && family.length > 0) {
    throw new UsageError(second === undefined ? `command '${verb.value}' needs another word` : `unknown command: '${spelling}'`,
      didYouMean(second?.value ?? '', family) ?? `it can be ${family.map((word) => `vnet ${verb.value} ${word}`).join(', ')}`);
  }
  if (command === undefined) {
    throw new UsageError(`unknown command: '${verb.value}'`, didYouMean(verb.value, commands.filter(({ hidden }) => hidden !== true).flatMap(namesOf)) ?? 'vnet --help lists the commands');
  }
  const rest = argv.filter((_, i) => i !== verb.index && (family.length === 0 || i !== second?.index));
  const known = optionsOf(command);
  const tokens = tokensOf(rest, known);
  const words = new Map<string, string[]>();
  const options = readOptions(tokens, spelling, known, words, command.arguments);
  const positionals = tokens.filter((token) => token.kind === 'positional').map(({ value }) => value);
  // `start --help` needs no network.
  if (!options.has('help')) assignWords(command, spelling, positionals, words);
  return { command, words, options };
}

/** Every option that a command takes, those of the program included. */
export function optionsOf(command: Command): Option[] {
  const asOptions = (command.arguments ?? []).map(({ name, summary }) => ({ name, summary, value: 'string' }));
  return [...globalOptions, ...(command.options ?? []), ...asOptions];
}

/** The output format that was asked for, even if the rest of the line makes no sense. */
export function formatOf(argv: readonly string[]): Format {
  const asked = tokensOf(argv, globalOptions).filter((token) => token.kind === 'option').findLast(({ name }) => name === 'output')?.value;
  return formats.find((format) => format === asked) ?? 'table';
}

function tokensOf(argv: readonly string[], known: readonly Option[]): Token[] {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const { name, short, value } of known) {
    options[name] = { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) };
  }
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  return tokens.filter((token) => token.kind !== 'option-terminator') as Token[];
}

/** Collects the options; those that stand for an argument go to `words`. */
function readOptions(tokens: readonly Token[], spelling: string | undefined, known: readonly Option[], words: Map<string, string[]>, stand: readonly Argument[] = []): Invocation['options'] {
  const options: Invocation['options'] = new Map();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    const option = known.find((candidate) => candidate.name === name);
    if (option === undefined) throw unknownOption(spelling, rawName, known);
    if (option.value === undefined) {
      if (value !== undefined) throw new UsageError(`option ${rawName} takes no value`);
      options.set(name, true);
      continue;
    }
    if (value === undefined) throw new UsageError(`expected syntax: ${rawName} <${option.value}>`);
    if (option.choices !== undefined && !option.choices.includes(value)) {
      throw new UsageError(`${rawName} cannot be '${value}'`, didYouMean(value, option.choices) ?? `it can be ${option.choices.join(', ')}`);
    }
    if (stand.some((argument) => argument.name === name)) words.set(name, [...(words.get(name) ?? []), value]);
    else options.set(name, value);
  }
  return options;
}

function unknownOption(spelling: string | undefined, rawName: string, known: readonly Option[]): UsageError {
  const what = spelling === undefined ? `unsupported option '${rawName}'` : `command '${spelling}' doesn't support option ${rawName}`;
  return new UsageError(what, rawName.startsWith('--') ? didYouMean(rawName, known.map(({ name }) => `--${name}`)) : undefined);
}

/** Gives the bare words to the arguments that no option has filled, in order. */
function assignWords(command: Command, spelling: string, positionals: string[], words: Map<string, string[]>): void {
  for (const { name, many, optional, empty } of command.arguments ?? []) {
    if (many === true) words.set(name, [...(words.get(name) ?? []), ...positionals.splice(0)]);
    else if (!words.has(name) && positionals.length > 0) words.set(name, positionals.splice(0, 1));
    const given = words.get(name) ?? [];
    if (given.length === 0 && optional !== true) throw new UsageError(`command '${spelling}' requires <${name}> option`, `vnet help ${spelling}`);
    if (given.includes('') && empty !== true && command.bare !== true) throw new UsageError(`Failed to get option '${name}': Option argument is empty`);
  }
  const [extra] = positionals;
  if (extra !== undefined) throw new UsageError(`unexpected data '${extra}'`, `vnet help ${spelling}`);
}

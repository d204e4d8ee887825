/**
 * Lives here: help, rendered from the table of commands. Does not know: any
 * command by name.
 */
import { namesOf, spellingOf, synopsisOf, type Command, type Option } from './command.js';
import { commands, globalOptions } from './commands.js';

/** What `vnet --help` prints. */
export function renderOverview(): string {
  const shown = commands.filter(({ hidden }) => hidden !== true);
  return [
    'Usage: vnet [OPTION]... COMMAND [ARGUMENT]...',
    '',
    'The virtual networks of a host, here or elsewhere.',
    '',
    'Commands:',
    ...columns(shown.map((command) => [ownNames(command).join(', '), command.summary])),
    '',
    'Options, before or after the command:',
    ...optionLines(globalOptions),
    '',
    'Every net-* command of virsh works under its own name too: vnet net-list --all.',
    'vnet help COMMAND explains one command; vnet man prints the manual.',
  ].map((line) => `${line}\n`).join('');
}

/** What `vnet help COMMAND` prints. */
export function renderCommandHelp(command: Command): string {
  const { name, aliases = [], summary, description, arguments: words = [], options = [], formats = [] } = command;
  const has = formats.filter((format) => format !== 'table');
  return [
    `Usage: vnet ${[name, synopsisOf(command)].filter((part) => part !== '').join(' ')}`,
    '',
    ...wrapped(`${sentence(summary)}${description === undefined ? '' : ` ${description}`}`),
    ...(aliases.length === 0 ? [] : ['', `Also: ${aliases.map((alias) => `vnet ${alias}`).join(', ')}`]),
    ...(words.length === 0 ? [] : ['', 'Arguments:', ...columns(words.map((word) => [`<${word.name}>`, word.summary]))]),
    ...(options.length === 0 ? [] : ['', 'Options:', ...optionLines(options)]),
    ...(has.length === 0 ? [] : ['', `Output: table, or with -o ${has.join(', ')}`]),
  ].map((line) => `${line}\n`).join('');
}

/** A summary as a sentence of its own. */
export function sentence(summary: string): string {
  const whole = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}`;
  return whole.endsWith('.') ? whole : `${whole}.`;
}

/** A command's names but virsh's, which are many and known to those who want them. */
function ownNames(command: Command): string[] {
  return namesOf(command).filter((name) => !name.startsWith('net-'));
}

/** Text in lines of at most 80 characters. */
function wrapped(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1)} ${word}`.trimStart();
    if (line.length > 80) lines.push(word);
    else lines[lines.length - 1] = line;
  }
  return lines;
}

function optionLines(options: readonly Option[]): string[] {
  const indent = options.some(({ short }) => short !== undefined) ? '    ' : '';
  return columns(options.map((option) => [`${option.short === undefined ? indent : ''}${spellingOf(option, true)}`, option.summary]));
}

function columns(rows: [string, string][]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

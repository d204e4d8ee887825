/**
 * Lives here: completion in bash, zsh and fish: the script each shell loads,
 * and the answers that the script asks for. Does not know: any command by
 * name; the table says what can stand where.
 */
import type { NetworkFilter } from '../connection.js';
import type { Call } from './call.js';
import { namesOf, type Argument, type Command, type Option } from './command.js';
import { commands, familyOf, findCommand, globalOptions } from './commands.js';
import { escapeLine, hasUnprintable } from './escape.js';
import { UsageError } from './failure.js';
import { optionsOf } from './parse.js';
import { didYouMean } from './suggest.js';

/** How long a TAB may wait for a daemon, in milliseconds. */
const patienceMs = 500;

/** One thing that can stand in place of the last word. */
interface Candidate {
  value: string;
  description: string;
}

/** Told to the script: file names can stand here. */
const filesMark = ':files';

/**
 * The scripts. Each calls `vnet __complete -- WORDS`, where the last word is
 * the one being typed, and gets `value<TAB>description` lines, or `:files`.
 */
const scripts = {
  // bash takes a word apart at colons; the line itself knows better.
  bash: `_vnet() {
  local IFS=$' \\t\\n' line=\${COMP_LINE:0:COMP_POINT} words current answer prefix
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=\${words[\${#words[@]}-1]}
  COMPREPLY=()
  answer=$("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null) || return
  if [[ $answer == ${filesMark} ]]; then compopt -o default; return; fi
  prefix=\${current%"\${current##*:}"}
  while IFS=$'\\t' read -r answer _; do
    [[ -n $answer ]] || continue
    # A name may mean something to the shell.
    printf -v answer %q "\${answer#"$prefix"}"
    COMPREPLY+=("$answer")
  done <<< "$answer"
}
complete -F _vnet vnet
`,
  zsh: `#compdef vnet
_vnet() {
  local -a lines values descriptions
  local answer line
  answer=$("\${words[1]}" __complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null) || return 1
  if [[ $answer == ${filesMark} ]]; then _files; return; fi
  for line in "\${(@f)answer}"; do
    [[ -z $line ]] && continue
    values+=("\${line%%$'\\t'*}")
    descriptions+=("\${line/$'\\t'/  -- }")
  done
  compadd -l -d descriptions -a values
}
if [[ $funcstack[1] == _vnet ]]; then _vnet "$@"; else compdef _vnet vnet; fi
`,
  fish: `function __vnet_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answer ($words[1] __complete -- $words[2..-1] 2>/dev/null)
  if test "$answer" = ${filesMark}
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $answer
  end
end
complete -c vnet -f -a '(__vnet_complete)'
`,
} as const;

/** The shells that have a script. */
export const shells = Object.keys(scripts) as (keyof typeof scripts)[];

/** `vnet completion`. */
export async function runCompletion(call: Call): Promise<void> {
  const word = call.word('shell');
  const shell = shells.find((candidate) => candidate === word);
  if (shell === undefined) throw new UsageError(`no completion for shell '${word}'`, didYouMean(word, shells) ?? `there is one for ${shells.join(', ')}`);
  call.print(scripts[shell]);
}

/** `vnet __complete`. Silent if anything fails: nobody asked for an error. */
export async function runComplete(call: Call): Promise<void> {
  const words = [...call.words('words')];
  const current = words.pop() ?? '';
  const answer = await complete(words, current, (filter, uri, readonly) => networksOf(call, filter, uri, readonly),
    (network, uri, readonly) => portsOf(call, network, uri, readonly)).catch(() => []);
  const lines = answer === filesMark ? [filesMark]
    : answer.filter(({ value }) => value.startsWith(current)).map(({ value, description }) => `${value}\t${description}`);
  call.print(lines.map((line) => `${line}\n`).join(''));
}

/** Names of networks, from the place that the words name. */
type Networks = (filter: NetworkFilter, uri: string | undefined, readonly: boolean) => Promise<Candidate[]>;

/** Ports of a network, likewise. */
type Ports = (network: string, uri: string | undefined, readonly: boolean) => Promise<Candidate[]>;

/** What can stand after these words, given how the next one begins. */
async function complete(words: readonly string[], current: string, networks: Networks, ports: Ports): Promise<Candidate[] | typeof filesMark> {
  const { command, family, pending, positionals, values } = survey(words);
  if (pending !== undefined) return (pending.choices ?? []).map((value) => ({ value, description: '' }));
  if (current.startsWith('-') && current !== '-') {
    return (command === undefined ? globalOptions : [...globalOptions, ...(command.options ?? [])]).map(({ name, summary }) => ({ value: `--${name}`, description: summary }));
  }
  if (command === undefined) return commandNames(current, family);
  const argument = argumentAt(command, positionals.length);
  if (argument?.choices !== undefined) return argument.choices.map((value) => ({ value, description: '' }));
  switch (argument?.kind) {
    case 'network': return networks(argument.filter ?? {}, values.get('connect'), values.has('readonly'));
    case 'port': return ports(positionals[0] ?? '', values.get('connect'), values.has('readonly'));
    case 'file': return filesMark;
    case 'shell': return shells.map((value) => ({ value, description: '' }));
    case 'command': return commandNames(current, positionals[0]);
    default: return [];
  }
}

/** What the words before the one being typed amount to. */
interface Survey {
  command: Command | undefined;
  /** The first word of a command that has two. */
  family: string | undefined;
  /** An option that still waits for its value. */
  pending: Option | undefined;
  /** The bare words that follow the command. */
  positionals: string[];
  values: Map<string, string | undefined>;
}

function survey(words: readonly string[]): Survey {
  const found: Survey = { command: undefined, family: undefined, pending: undefined, positionals: [], values: new Map() };
  for (const word of words) {
    if (found.pending !== undefined) {
      found.values.set(found.pending.name, word);
      found.pending = undefined;
    } else if (word.startsWith('-') && word !== '-') {
      takeOption(found, word);
    } else if (found.command === undefined) {
      found.command = findCommand(found.family === undefined ? word : `${found.family} ${word}`);
      if (found.command === undefined && found.family === undefined && familyOf(word).length > 0) found.family = word;
      else if (found.command === undefined) throw new UsageError(`unknown command: '${word}'`);
    } else {
      found.positionals.push(word);
    }
  }
  return found;
}

function takeOption(found: Survey, word: string): void {
  const known: readonly Option[] = found.command === undefined ? globalOptions : optionsOf(found.command);
  const [, name, inline] = /^--?([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  const option = known.find((candidate) => word.startsWith('--') ? candidate.name === name : candidate.short === name);
  if (option === undefined) return;
  if (option.value !== undefined && inline === undefined) found.pending = option;
  else found.values.set(option.name, inline);
}

function argumentAt({ arguments: words = [] }: Command, position: number): Argument | undefined {
  const last = words.at(-1);
  return words[position] ?? (last?.many === true ? last : undefined);
}

/**
 * The words that commands begin with, or the second ones of those that begin
 * with `family`. virsh's names are offered to those who begin to type one.
 */
function commandNames(current: string, family = ''): Candidate[] {
  const virsh = current.startsWith('net-');
  const names = commands
    .filter((command) => virsh || command.hidden !== true)
    .flatMap((command) => namesOf(command).map((value) => ({ value, description: command.summary })));
  if (family !== '') return names.filter(({ value }) => value.startsWith(`${family} `)).map(({ value, ...rest }) => ({ value: value.slice(family.length + 1), ...rest }));
  const first = names.filter(({ value }) => value.startsWith('net-') === virsh).map(({ value, description }) => {
    const [word = '', ...more] = value.split(' ');
    return { value: word, description: more.length === 0 ? description : familyOf(word).join(', ') };
  });
  return first.filter(({ value }, i) => first.findIndex((other) => other.value === value) === i);
}

/** Asks the daemon, but not for long. */
function networksOf(call: Call, filter: NetworkFilter, uri: string | undefined, readonly: boolean): Promise<Candidate[]> {
  return asked(async () => {
    const connection = await call.connection({ timeoutMs: patienceMs, ...(readonly ? { readonly } : {}) }, uri);
    const networks = await connection.listAllNetworks(filter);
    return networks.map(({ network, active, mode }) => ({ value: network.name, description: `${active ? 'active' : 'inactive'}, ${mode}` }));
  });
}

function portsOf(call: Call, name: string, uri: string | undefined, readonly: boolean): Promise<Candidate[]> {
  return asked(async () => {
    const connection = await call.connection({ timeoutMs: patienceMs, ...(readonly ? { readonly } : {}) }, uri);
    const { portsOf: shownPorts } = await import('./ports.js');
    const ports = await shownPorts(await connection.lookup(name));
    return ports.map(({ port, device, definition }) => ({ value: device ?? port.uuid, description: escapeLine(`${definition.owner.name}, ${definition.mac}`) }));
  });
}

/** What the daemon answers, if it answers in time. */
async function asked(ask: () => Promise<Candidate[]>): Promise<Candidate[]> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<Candidate[]>((resolve) => { timer = setTimeout(resolve, patienceMs, []); });
  const found = await Promise.race([ask(), enough]).finally(() => clearTimeout(timer));
  // A name that a shell or a terminal could take for something else is not offered.
  return found.filter(({ value }) => !hasUnprintable(value));
}

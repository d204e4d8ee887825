/**
 * Lives here: the one door to programs outside: which there are, where they
 * are found, how they are run, and what their failures read like. Does not
 * know: what is asked of them.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { step } from '../step.js';
import { safeLine } from './safe-text.js';

/** The programs of the Linux host, each with the Debian package that has it. */
const packages = {
  ip: 'iproute2', tc: 'iproute2', ss: 'iproute2', bridge: 'iproute2', nft: 'nftables', dnsmasq: 'dnsmasq-base', xargs: 'findutils',
  nsenter: 'util-linux', udevadm: 'udev', 'ovs-vsctl': 'openvswitch-switch',
  'iptables-save': 'iptables', 'iptables-restore': 'iptables', 'ip6tables-save': 'iptables', 'ip6tables-restore': 'iptables',
  'iptables-legacy-save': 'iptables', 'iptables-legacy-restore': 'iptables', 'ip6tables-legacy-save': 'iptables', 'ip6tables-legacy-restore': 'iptables',
  'firewall-cmd': 'firewalld', perl: 'perl-base', getent: 'libc-bin',
} as const;

/** A program that vnetd runs. */
export type Tool = keyof typeof packages;

/** How a program is run. */
export interface RunOptions {
  /** Its standard input; nothing unless given. */
  input?: string;
  /**
   * It is run once for each of these, which is its last argument then, several
   * at a time. It takes xargs, which costs this process one start instead of
   * many: to start a program takes a process of this size milliseconds in
   * which it does nothing else. If one fails, the others are run all the same
   * and the words are those of all.
   */
  each?: readonly string[];
  /** After this long it is killed and has failed; 20 seconds unless given. */
  timeoutMs?: number;
  /** Called when it runs. */
  onBegun?: (() => void) | undefined;
}

/**
 * The door. No shell, no environment but LC_ALL=C and a search path. Tests put
 * a recorder or a fault before it.
 */
export interface Commands {
  /**
   * Runs a program to its end for what it does.
   *
   * @throws {CommandError} if it fails, with its own words; SYSTEM_ERROR if it
   * is not installed
   */
  run(tool: Tool, argv: readonly string[], options?: RunOptions): Promise<void>;

  /** Runs a program that changes nothing, for what it prints. Throws as run does. */
  read(tool: Tool, argv: readonly string[]): Promise<string>;

  /**
   * Starts a program that runs until it is closed, and hands over each line
   * that it prints. It ends with this process, however this process ends.
   *
   * @throws {NetworkError} SYSTEM_ERROR if it is not installed
   */
  follow(tool: Tool, argv: readonly string[], onLine: (line: string) => void): Promise<Following>;

  /** Checks that a program is there. @throws {NetworkError} SYSTEM_ERROR if it is not installed */
  require(tool: Tool): Promise<void>;
}

/** A program that runs beside this one. */
export interface Following {
  /** Settles when it has ended, with what it said or what became of it. */
  ended: Promise<string>;
  /** Ends it. */
  close(): void;
}

/** A program that failed. INTERNAL_ERROR, as libvirt has it. */
export class CommandError extends NetworkError {
  /** @param words what the program said, trimmed, or what became of it */
  constructor(readonly tool: Tool, readonly words: string) {
    super(ErrorCode.INTERNAL_ERROR, `${tool} failed: ${words}`);
  }
}

const searchPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const environment = { LC_ALL: 'C', PATH: searchPath.join(':') };
/** Ends a program with its parent; part of util-linux, which every Debian has. */
const tetherProgram = '/usr/bin/setpriv';

const defaultTimeoutMs = 20_000;

/** How many of a program that is run many times run at a time. */
const sideBySide = Math.max(2, availableParallelism());

/** The most that is read of a program's output, in characters. */
const largestOutput = 64 * 1024 * 1024;

/** The most of a program's words that goes into a message, in characters. */
const longestWords = 2000;

/**
 * Opens the door.
 *
 * @param paths absolute paths of programs that are not to be searched for
 */
export function openCommands(paths: Partial<Record<Tool, string>> = {}): Commands {
  // What is not there is searched for again: it may be installed meanwhile.
  const found = new Map<Tool, Promise<string>>();
  const locate = (tool: Tool): Promise<string> => {
    const known = found.get(tool);
    if (known !== undefined) return known;
    const searching = search(tool, paths[tool]);
    found.set(tool, searching);
    searching.catch(() => found.delete(tool));
    return searching;
  };
  /** The program, its arguments and its input: those of xargs where it is to be run many times. */
  const prepare = async (tool: Tool, argv: readonly string[], { input, each }: RunOptions) => {
    const path = await locate(tool);
    if (each === undefined) return { path, argv, input };
    return {
      path: await locate('xargs'), argv: ['-0', '-n', '1', '-P', String(sideBySide), path, ...argv],
      input: each.map((argument) => `${safeLine(argument)}\0`).join(''),
    };
  };
  const execute = async (tool: Tool, given: readonly string[], stdout: 'pipe' | 'ignore', options: RunOptions) => {
    const { path, argv, input } = await prepare(tool, given, options);
    const { timeoutMs = defaultTimeoutMs } = options;
    step(`run ${tool} ${given.join(' ')}`.trim());
    // With execa's own defaults, and a pipe that nobody reads, a call takes half as long again.
    const running = execa(path, argv, {
      env: environment, extendEnv: false, cwd: '/', timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: largestOutput,
      cleanup: false, reject: false, stripFinalNewline: false, stdin: input === undefined ? 'ignore' : 'pipe', stdout,
    });
    options.onBegun?.();
    // A program that ends without reading is heard in its exit code.
    running.stdin?.on('error', () => undefined).end(input);
    const result = await running;
    if (!result.failed) return result.stdout ?? '';
    if (result.code === 'ENOENT' || result.code === 'EACCES') {
      found.delete(tool);
      throw notInstalled(tool);
    }
    throw new CommandError(tool, wordsOf(result, timeoutMs));
  };
  return {
    require: async (tool) => void await locate(tool),
    run: async (tool, argv, options = {}) => void await execute(tool, argv, 'ignore', options),
    read: (tool, argv) => execute(tool, argv, 'pipe', {}),
    follow: async (tool, argv, onLine) => {
      // It has to go with this process, even if that is killed.
      const path = await locate(tool);
      const tethered = await exists(tetherProgram);
      step(`follow ${tool} ${argv.join(' ')}`);
      const child = execa(tethered ? tetherProgram : path, [...(tethered ? ['--pdeathsig', 'KILL', '--', path] : []), ...argv], {
        // With execa's own cleanup a signal ends this process before it has taken its leave.
        cleanup: false,
        env: environment, extendEnv: false, cwd: '/', stdin: 'ignore', buffer: { stdout: false }, reject: false, killSignal: 'SIGKILL',
      });
      createInterface({ input: child.stdout }).on('line', onLine);
      return { ended: child.then((result) => wordsOf(result, 0)), close: () => void child.kill() };
    },
  };
}

/** Whether there is a program that may be run. */
function exists(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(() => true, () => false);
}

/** Finds a program: where it is said to be, or along the search path. @throws {NetworkError} SYSTEM_ERROR if it is not installed */
async function search(tool: Tool, given: string | undefined): Promise<string> {
  const folders = [...(process.env['PATH'] ?? '').split(':').filter((part) => part.startsWith('/')), ...searchPath];
  for (const path of given === undefined ? folders.map((folder) => join(folder, tool)) : [given]) {
    if (await exists(path)) return path;
  }
  throw notInstalled(tool);
}

function notInstalled(tool: Tool): NetworkError {
  return new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot find '${tool}' on this host`, {
    hint: `install it; on Debian and Ubuntu: apt-get install ${packages[tool]}`,
  });
}

/**
 * Starts a program that is handed sockets: it gets what `send` is given at its
 * descriptor 3, and says its messages there, as lines of JSON. Its standard
 * input is a pipe that nothing is written to.
 *
 * @throws {NetworkError} SYSTEM_ERROR if it is not installed
 */
export async function startConversation(tool: Tool, argv: readonly string[]): Promise<ChildProcess> {
  const path = await search(tool, undefined);
  step(`converse with ${tool}`);
  return spawn(path, argv, { env: environment, cwd: '/', stdio: ['pipe', 'ignore', 'ignore', 'ipc'], serialization: 'json' });
}

/** What is known of a program that failed. */
interface Failed {
  timedOut: boolean;
  stderr: string;
  exitCode?: number | undefined;
  signal?: string | undefined;
  shortMessage?: string | undefined;
}

/** What a failed program said; without words, what became of it. */
function wordsOf(result: Failed, timeoutMs: number): string {
  if (result.timedOut) return `no end within ${timeoutMs} ms; killed`;
  const words = result.stderr.trim().slice(0, longestWords);
  if (words !== '') return words;
  if (result.exitCode !== undefined) return `exit code ${result.exitCode} without a word`;
  return result.signal !== undefined ? `killed by ${result.signal}` : result.shortMessage ?? 'could not be run';
}

/**
 * Lives here: a network namespace of a lab, seen from a test: what it can
 * reach, what it hears, which names it can resolve, what a program prints
 * there. Does not know: how namespaces are wired.
 */
import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

/** The port on which every place answers TCP and UDP. */
export const echoPort = 7;

/** The port on which groups are heard. */
export const groupPort = 17;

/** What came of trying to reach something. */
export interface Reach {
  reached: boolean;
  /** How the other side saw the one who came. */
  seen?: { address: string; port: number };
  /** Why not: `ECONNREFUSED` if a firewall said no, `timeout` if nobody said anything. */
  why?: string;
}

/** How something is reached. */
export interface ReachOptions {
  protocol?: 'tcp' | 'udp';
  port?: number;
  /** The port it is reached from, with TCP; any unless given. */
  localPort?: number;
  /** The text of the datagram. */
  message?: string;
  timeoutMs?: number;
}

/** A namespace. */
export interface Place {
  /** The namespace's name; empty for the one this process is in. */
  name: string;
  /** Tries to reach an address, unless told otherwise with TCP on {@link echoPort}. */
  reach(address: string, options?: ReachOptions): Promise<Reach>;
  /** The datagrams that have come to {@link echoPort}, and those to groups that were joined. */
  heard(): Promise<string[]>;
  /** Sends a datagram to a broadcast or multicast address, without waiting for an answer. */
  shout(address: string, message: string, port?: number): Promise<void>;
  /** Hears from now on what is sent to a multicast group on {@link groupPort} of its `eth0`. */
  join(group: string): Promise<void>;
  /** Asks a name server; no answers if it has none. Of type A unless told otherwise; PTR for an address. */
  resolve(server: string, name: string, type?: 'A' | 'AAAA' | 'TXT' | 'SRV' | 'PTR'): Promise<unknown[]>;
  /** Runs a program there and gives its output. @throws Error with what it said if it fails */
  exec(program: string, ...argv: string[]): Promise<string>;
  /** Ends what runs there for the test. */
  close(): Promise<void>;
}

/** The agent is not compiled: it runs as it stands in the source. */
const agent = new URL('agent.mjs', import.meta.url).pathname.replace('/dist/test/', '/test/');

/** Runs a program to its end. @throws Error with what it said if it fails */
export async function runProgram(program: string, argv: readonly string[], input = '', env: Record<string, string> = {}): Promise<string> {
  const running = execFileAsync(program, argv, { env: { ...process.env, LC_ALL: 'C', ...env }, maxBuffer: 64 * 1024 * 1024 });
  running.child.stdin?.on('error', () => undefined).end(input);
  return (await running).stdout;
}

/** The command that runs a program in a namespace. */
export function inNamespace(name: string, ...argv: string[]): [string, ...string[]] {
  return name === '' ? argv as [string, ...string[]] : ['nsenter', `--net=/run/netns/${name}`, ...argv];
}

/** Opens a place in a namespace that exists. */
export async function openPlace(name: string): Promise<Place> {
  const [program, ...argv] = inNamespace(name, process.execPath, agent);
  const child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const waiting = new Map<number, (answer: Record<string, unknown>) => void>();
  let last = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, ...answer } = JSON.parse(line) as { id: number };
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  void ended.then(() => waiting.forEach((settle) => settle({ failed: `the agent in '${name}' has ended` })));
  const ask = async (action: string, rest: object): Promise<Record<string, unknown>> => {
    const answer = await new Promise<Record<string, unknown>>((resolve) => {
      waiting.set(last += 1, resolve);
      child.stdin.write(`${JSON.stringify({ id: last, action, ...rest })}\n`);
    });
    if (answer['failed'] !== undefined) throw new Error(`${action} in '${name}': ${String(answer['failed'])}`);
    return answer;
  };
  child.stdin.on('error', () => undefined);
  await ask('serve', { port: echoPort });
  return {
    name,
    reach: async (address, options = {}) => await ask('reach', {
      address, port: echoPort, protocol: 'tcp', message: 'hello', timeoutMs: 3000, ...options,
    }) as unknown as Reach,
    heard: async () => (await ask('heard', {}))['messages'] as string[],
    shout: async (address, message, port = echoPort) => void await ask('shout', { address, message, port }),
    join: async (group) => void await ask('join', { group, port: groupPort, interfaceName: 'eth0' }),
    resolve: async (server, question, type = 'A') => (await ask('resolve', { server, name: question, type, timeoutMs: 3000 }))['answers'] as unknown[],
    exec: (first, ...rest) => {
      const [command, ...args] = inNamespace(name, first, ...rest);
      return runProgram(command, args);
    },
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

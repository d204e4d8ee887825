/**
 * The fault tests of the reference that stop a daemon between two steps: at
 * every step of every operation it is killed, or the step fails. Afterwards
 * all is as before or as asked for, nothing is left over, nothing of anybody
 * else's is touched, and the operation can be done again.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConnection } from '../../client/connection.js';
import { dist } from '../processes.js';
import type { Order, Said, Told, Word } from './crash-child.js';
import { viewHost, type HostView } from './crash-host.js';
import { bystander, name, operations } from './crash-operations.js';
import { openLab, runProgram, type Lab } from './lab.js';

/** Everything at one moment. */
interface View { told: Told; host: HostView }

let lab: Lab;
let root: string;
let base: View;

beforeAll(async () => {
  lab = await openLab();
  root = join(lab.folder, 'root');
  await build({ input: join(dist, 'test/lab/crash-child.js'), platform: 'node', output: { file: program(), format: 'esm', codeSplitting: false } });
  // One that has been used before has no network `default` made for it.
  await mkdir(join(root, 'etc/vnet/networks'), { recursive: true });
  const connection = await openConnection(`vnet:///embed?root=${root}`);
  await connection.createXml(bystander.xml);
  await connection.close();
  await runProgram('ip', ['link', 'add', 'lab-foreign', 'type', 'bridge']);
  await runProgram('nft', ['-f', '-'], 'table inet foreign {\nchain one {\ntype filter hook input priority 5;\ncounter accept\n}\n}\n');
  const child = openChild({});
  base = await view(await child.said());
  await child.end();
}, 60_000);

afterAll(async () => {
  const connection = await openConnection(`vnet:///embed?root=${root}`);
  await (await connection.lookupByName(bystander.name)).destroy();
  await connection.close();
  await runProgram('ip', ['link', 'delete', 'lab-foreign']);
  await lab.close();
});

/** The child in one file: it is started a thousand times, and reads two hundred files otherwise. */
const program = () => join(lab.folder, 'crash-child.mjs');

/** A process that does as it is told. */
interface Child {
  /** What it says next, or how it ended. */
  said(): Promise<Said>;
  tell(word: Word): Promise<Said>;
  end(): Promise<void>;
  /** The signal that ended it, if one did. */
  ended: Promise<NodeJS.Signals | null>;
}

function openChild(order: Omit<Order, 'root'>): Child {
  const child: ChildProcess = spawn(process.execPath, [program(), JSON.stringify({ root, ...order })], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  child.stdin!.on('error', () => undefined);
  const said = async () => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`the child ended with ${await ended ?? 'an exit code'}`);
    return JSON.parse(String(value)) as Said;
  };
  const write = (word: Word) => child.stdin!.write(`${JSON.stringify(word)}\n`);
  return {
    said, ended,
    tell: (word) => { write(word); return said(); },
    end: async () => { write('end'); await ended; },
  };
}

async function view({ told }: Said): Promise<View> {
  const host = await viewHost(root);
  const files = (host['files'] as [string, string][]).filter(([path]) => told[name] === undefined || !path.endsWith(`${name}.leases`));
  return { told, host: { ...host, files, bystander: await readFile(join(root, `run/vnet/dnsmasq/${bystander.name}.pid`), 'utf8') } };
}

/** How much is said of a difference: so many parts of so many characters. */
const [mostWords, longestWord] = [3, 160];

/** The parts in which two views differ, each as it is and as it should be. */
function differences(found: View, wanted: View): string {
  const flat = ({ told, host }: View): Record<string, unknown> => ({ told, ...host });
  const [is, should] = [flat(found), flat(wanted)];
  const list = (value: unknown) => (Array.isArray(value) ? value : Object.entries((value as { [name]?: object })[name] ?? {})).map((each) => JSON.stringify(each));
  return Object.keys(should).filter((part) => JSON.stringify(is[part]) !== JSON.stringify(should[part])).map((part) => {
    const [here, there] = [list(is[part]), list(should[part])];
    const some = (these: string[], those: string[]) => these.filter((each) => !those.includes(each)).map((each) => each.slice(0, longestWord)).slice(0, mostWords).join(' ');
    return `${part}: has ${some(here, there)} lacks ${some(there, here)}`;
  }).join('\n');
}

/** Brings a child's networks to their end, which has to leave what there was at first. */
async function clean(child: Child): Promise<string> {
  const left = differences(await view(await child.tell('clean')), base);
  await child.end();
  return left === '' ? '' : `left over: ${left}`;
}

/** What is there before an operation and after it, and its steps. */
async function trace(operation: string): Promise<{ before: View; after: View; steps: string[] }> {
  const look = async (order: Omit<Order, 'root'>) => {
    const child = openChild(order);
    const said = await child.said();
    expect(said.error).toBeUndefined();
    const seen = await view(said);
    expect(await clean(child)).toBe('');
    return { said, seen };
  };
  const before = await look({ prepare: operation });
  const after = await look({ prepare: operation, run: operation });
  return { before: before.seen, after: after.seen, steps: after.said.steps };
}

/** Each step of a list with how many of the same name there are up to it. */
function points(steps: readonly string[]): { step: string; nth: number }[] {
  return steps.map((step, index) => ({ step, nth: steps.slice(0, index + 1).filter((each) => each === step).length }));
}

/** What may be there after an operation was disturbed. */
interface Accepted { before?: View; after?: View }

/** Says what is wrong with a state, does the operation again where all is as before, and cleans up. */
async function settle(child: Child, said: Said, operation: string, accepted: Accepted, after: View): Promise<string> {
  const seen = await view(said);
  const found = [accepted.before, accepted.after].flatMap((wanted) => (wanted === undefined ? [] : [differences(seen, wanted)]));
  let wrong = '';
  if (!found.includes('')) {
    wrong = `state: ${found.sort((a, b) => a.length - b.length)[0]}`;
  } else if (accepted.before !== undefined && found[0] === '' && operations[operation]!.call !== undefined) {
    const again = await child.tell({ again: operation });
    wrong = again.error === undefined ? differences(await view(again), after) : again.error;
    if (wrong !== '') wrong = `again: ${wrong}`;
  }
  return [wrong, await clean(child)].filter((text) => text !== '').join('\n');
}

/** A child whose operation has failed at a point, and what is accepted of it: that nothing has happened, or that it is made good. */
async function afterFailure(operation: string, child: Child, said: Said, { before, after }: { before: View; after: View }): Promise<[Child, Said, Accepted]> {
  const { goesOn, doneAgain } = operations[operation]!;
  const seen = await view(said);
  if (said.error !== undefined) {
    // The driver did not start, and a second one did.
    if (goesOn === true) return [child, said, { before, after }];
    if (doneAgain !== true || differences(seen, before) === '') return [child, said, { before }];
    return [child, await child.tell({ again: operation }), { after }];
  }
  // One that cannot start holds nobody up.
  if (differences(seen, after) === '' || (goesOn === true && differences(seen, before) === '')) return [child, said, { before, after }];
  // What is done besides may fail; the next driver sees to it.
  await child.end();
  const next = openChild({});
  return [next, await next.said(), { after }];
}

const patienceMs = 240_000;

/** Before which of its steps a driver is killed as it starts, one after the other. The first eight or so only look for its folders. */
const recoveryKills = [6, 9, 11, 13, 16];

describe.each(Object.keys(operations))('%s', (operation) => {
  let traced: Awaited<ReturnType<typeof trace>>;
  beforeAll(async () => { traced = await trace(operation); }, patienceMs);

  it('F1: may be cut off by a kill at every step', async () => {
    const { before, after, steps } = traced;
    const wrong: string[] = [];
    const visited: string[] = [];
    for (const { step, nth } of points(steps)) {
      const victim = openChild({ prepare: operation, run: operation, fault: { step, nth, effect: 'kill' } });
      const survived = await victim.said().catch(() => undefined);
      if (survived === undefined) visited.push(step);
      else await victim.end();
      const child = openChild({});
      const result = await settle(child, await child.said(), operation, operations[operation]!.goesOn === true ? { after } : { before, after }, after);
      if (result !== '') wrong.push(`killed before '${step}' (${nth}): ${result}`);
    }
    console.log(`${operation}: killed before each of ${visited.length} steps`);
    expect(wrong.join('\n\n')).toBe('');
    expect(visited).toEqual(steps);
  }, patienceMs);

  it('F3: is settled though the next drivers are killed as they settle it', async () => {
    const { before, after, steps } = traced;
    const middle = points(steps)[steps.length >> 1]!;
    await openChild({ prepare: operation, run: operation, fault: { ...middle, effect: 'kill' } }).ended;
    for (const nth of recoveryKills) {
      const child = openChild({ fault: { nth, effect: 'kill' } });
      if (await child.said().catch(() => undefined) !== undefined) await child.end();
    }
    const child = openChild({});
    expect(await settle(child, await child.said(), operation, operations[operation]!.goesOn === true ? { after } : { before, after }, after)).toBe('');
  }, patienceMs);

  it('F2: may fail at every step', async () => {
    const { after, steps } = traced;
    const wrong: string[] = [];
    for (const { step, nth } of points(steps)) {
      const first = openChild({ prepare: operation, run: operation, fault: { step, nth, effect: 'error' } });
      const failed = await first.said();
      const [child, said, accepted] = await afterFailure(operation, first, failed, traced);
      const result = await settle(child, said, operation, accepted, after);
      if (result !== '') wrong.push(`failed at '${step}' (${nth})${failed.error === undefined ? '' : `, said ${failed.error}`}: ${result}`);
    }
    expect(wrong.join('\n\n')).toBe('');
  }, patienceMs);
});

/**
 * Lives here: `vnet edit`: a definition goes out to an editor and comes back.
 * What a person has written is never lost. Does not know: what a definition
 * says.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Network } from '../network.js';
import type { Call } from './call.js';
import { sayPending } from './changes.js';
import { readStream } from './document-file.js';
import { currentRevision } from './history.js';
import { attempt, Exit, exitCodeOf, Failure } from './failure.js';

/** `vnet edit`. */
export async function runEdit(call: Call): Promise<void> {
  const network = await call.network(call.word('network'));
  // Read first: a text that is newer than its revision is refused, never lost.
  const revision = await currentRevision(network);
  const before = { xml: await network.dumpXml({ inactive: true }), revision };
  if (call.surroundings.stdin.isTTY === true) await editInEditor(call, network, before);
  else await apply(call, network, before, await readStream(call.surroundings.stdin), { force: false, validate: true, label: 'stdin' });
}

/** What the editing starts from. */
interface Before {
  xml: string;
  /** Its revision; undefined if the daemon does not count. */
  revision: number | undefined;
}

/** One way to try it again after a failure. */
type Answer = 'y' | 'n' | 'f' | 'i';

const question = 'Try again? [y,n,i,f,?]: ';
const answers = [
  'y - yes, start editor again',
  'n - no, throw away my changes (they stay in the file)',
  'i - turn off validation and try to redefine again',
  'f - force, try to redefine again over what others have changed',
  '? - print this help',
];

interface ApplyOptions {
  /** Define it even if someone else has changed the definition meanwhile. */
  force: boolean;
  /** Refuse what the format does not know: a misspelt element would be lost. */
  validate: boolean;
  /** What to call the document in messages. */
  label: string;
}

async function editInEditor(call: Call, network: Network, before: Before): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'vnet-edit-'));
  const file = join(folder, 'network.xml');
  await writeFile(file, before.xml, { mode: 0o600 });
  let answer: Answer = 'y';
  const options: ApplyOptions = { force: false, validate: true, label: file };
  for (;;) {
    try {
      if (answer === 'y') await runEditor(call, file);
      await apply(call, network, before, await readFile(file, 'utf8'), options);
      await rm(folder, { recursive: true });
      return;
    } catch (error) {
      call.report(error);
      call.warn(`what you wrote is in ${file}`, 'hint');
      answer = await ask(call);
      if (answer === 'n') throw new Failure(`Network ${network.name} XML configuration not changed`, { exit: exitCodeOf(error) });
      options.force ||= answer === 'f';
      options.validate &&= answer !== 'i';
    }
  }
}

/** Defines the text, unless it says what is defined already. */
async function apply(call: Call, network: Network, before: Before, after: string, { force, validate, label }: ApplyOptions): Promise<void> {
  const { name, uuid } = network;
  // What `vnet dumpxml` prints ends with an empty line.
  if (after.trimEnd() === before.xml.trimEnd()) {
    call.announce(`Network ${name} XML configuration not changed.`, { name, uuid, result: 'not changed', warnings: [] });
    return;
  }
  if (!force && await network.dumpXml({ inactive: true }) !== before.xml) {
    throw new Failure('the XML configuration was changed by another user', { exit: Exit.CONFLICT });
  }
  const expected = force || before.revision === undefined ? {} : { expectedRevision: before.revision };
  const made = await attempt(`Failed to define network from ${label}`, () => network.connection.defineXml(after, { validate, ...expected }), { file: label });
  for (const warning of made.warnings) call.warn(warning);
  const { network: edited, warnings, pending } = made;
  call.announce(`Network ${edited.name} XML configuration edited.`, { name: edited.name, uuid: edited.uuid, result: 'edited', warnings, pending });
  await sayPending(call, edited, pending);
}

/** Lets a person edit a text, and gives what they wrote. @throws {Failure} if the editor does; what they wrote stays in the file */
export async function editText(call: Call, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vnet-edit-'));
  const file = join(folder, 'text');
  await writeFile(file, text, { mode: 0o600 });
  await runEditor(call, file);
  const edited = await readFile(file, 'utf8');
  await rm(folder, { recursive: true });
  return edited;
}

/** Opens the file in the person's editor and waits until it is closed. @throws {Failure} */
async function runEditor({ surroundings: { env, holdInterrupts } }: Call, file: string): Promise<void> {
  const editor = env['VISUAL'] || env['EDITOR'] || 'vi';
  // As in `code --wait`. No shell: quotes in it mean nothing.
  const [program = 'vi', ...argv] = editor.trim().split(/\s+/);
  // Ctrl-C in the editor is the editor's.
  holdInterrupts(true);
  try {
    await new Promise<void>((resolve, reject) => {
      const child = spawn(program, [...argv, file], { stdio: 'inherit' });
      child.once('error', (error) => reject(new Failure(`cannot run editor '${editor}': ${error.message}`, { hint: 'set EDITOR to the editor you use' })));
      child.once('exit', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Failure(`editor '${editor}' ended with ${signal ?? `exit status ${code}`}`));
      });
    });
  } finally {
    holdInterrupts(false);
  }
}

/** Asks what to do after a failure. The end of input means no. */
async function ask({ surroundings: { stdin, stderr } }: Call): Promise<Answer> {
  if (stdin.readableEnded || stdin.destroyed) return 'n';
  // Not as a terminal: Ctrl-C stays a signal, and what is typed ahead stays for the editor.
  const prompt = createInterface({ input: stdin, terminal: false });
  try {
    stderr.write(question);
    for await (const line of prompt) {
      const found = (['y', 'n', 'f', 'i'] as const).find((letter) => letter === line.trim().toLowerCase());
      if (found !== undefined) return found;
      stderr.write(`${answers.join('\n')}\n${question}`);
    }
    return 'n';
  } finally {
    prompt.close();
  }
}

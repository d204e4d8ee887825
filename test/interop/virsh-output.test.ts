/**
 * `vnet net-*` beside virsh: the same steps on both, and the same bytes on
 * both streams, but for what the table of differences says.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../client/connect.js';
import { runVnet } from '../unit/cli/run-vnet.js';
import { openFolder, startDaemon, type Daemon } from '../processes.js';

const run = promisify(execFile);
const virsh = spawnSync('virsh', ['--version']).error === undefined;

const folder = await openFolder();
const documents = join(folder.path, 'documents');
let daemon: Daemon;

const uuid = '11111111-2222-4333-8444-555555555555';
const files = {
  lab: `<network><name>lab</name><uuid>${uuid}</uuid><forward mode='route'/><bridge name='lab0'/><mac address='52:54:00:00:00:01'/><ip address='10.9.0.1' netmask='255.255.255.0'><dhcp><range start='10.9.0.10' end='10.9.0.20'/></dhcp></ip></network>`,
  bare: `<network><name>Bare-and-long</name><uuid>11111111-2222-4333-8444-666666666666</uuid><forward mode='bridge'/><bridge name='br0'/></network>`,
  broken: '<network><name>lab</network>',
  nameless: '<network/>',
  range: "<network><name>r</name><ip address='10.9.1.1' prefix='24'><dhcp><range start='10.8.0.1' end='10.8.0.9'/></dhcp></ip></network>",
};

/** What each step printed. */
interface Printed { out: string; err: string }

/** Many steps in one virsh, whose test driver forgets everything when it ends. */
async function runVirsh(steps: readonly string[], options: readonly string[]): Promise<Printed[]> {
  const script = steps.map((step) => `${step}; echo =step=; echo --err =step=`).join('; ');
  const { stdout, stderr } = await run('virsh', ['-c', 'test:///default', ...options, script], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
  // echo ends its line, and an empty line follows, only if it is not quiet.
  const outs = stdout.split(options.includes('-q') ? '=step=' : '=step=\n\n');
  const errs = stderr.split('error: =step=\n');
  expect([outs.length, errs.length]).toEqual([steps.length + 1, steps.length + 1]);
  return steps.map((_, i) => ({ out: outs[i]!, err: errs[i]! }));
}

const runStep = (step: string, options: readonly string[]) =>
  runVnet(['-c', daemon.uris['unix']!, ...options, ...step.split(' ')], { connect });

/** virsh's test driver differs from its real one, and ours, in words of its own and in what it reads. Each with its reason. */
const differences: [reason: string, pattern: RegExp, common: string][] = [
  ['the test driver has its own words for a wrong state', /^(error: Requested operation is not valid: ).*$/gm, '$1...'],
  ['libxml2\'s words, and our line and column', /^error: (?:\(network_definition\):1: Opening.*\n<.*\n-*\^|line 1, column \d+: element <name> is closed.*)$/gm, 'error: mismatched tags'],
  ['our line, column and path', /^(error: .*?: )line \d+, column \d+: \S+: found .*$/gm, '$1...'],
  ['the same problem in libvirt\'s words', /^(error: internal error: )range .* is not entirely within network .*$/gm, '$1...'],
  ['we say where', /^(error: missing name information).*$/gm, '$1'],
  ['we say what to do', /^hint: .*\n/gm, ''],
];
const common = ({ out, err }: Printed): Printed => ({ out, err: differences.reduce((text, [, pattern, replacement]) => text.replaceAll(pattern, replacement), err) });

const at = (name: keyof typeof files) => join(documents, `${name}.xml`);
const steps = [
  'net-list', 'net-list --all', 'net-list --name --all', 'net-list --uuid', 'net-info default',
  `net-define ${at('lab')}`, 'net-list --all', 'net-list --inactive', 'net-info lab', `net-info ${uuid}`, 'net-dumpxml lab', 'net-dumpxml --network lab',
  'net-uuid lab', `net-name ${uuid}`,
  'net-autostart lab', 'net-list --all --autostart', 'net-list --all --no-autostart', 'net-autostart lab --disable',
  'net-start lab', 'net-start lab', 'net-list', 'net-info lab', 'net-destroy lab', 'net-start --network lab', 'net-destroy --network lab',
  `net-define --file ${at('bare')}`, 'net-list --all', 'net-list --all --name', 'net-list --all --uuid', 'net-info Bare-and-long', 'net-dumpxml Bare-and-long',
  'net-undefine lab', 'net-info lab', 'net-undefine Bare-and-long',
  `net-create ${at('lab')}`, 'net-list --transient', 'net-list --all --persistent', 'net-destroy lab', 'net-list --all --table',
  'net-start nope', 'net-info nope', 'net-destroy nope', 'net-undefine nope', 'net-autostart nope', 'net-dumpxml nope', 'net-uuid nope', 'net-edit nope', 'net-dhcp-leases nope',
  'net-info 99999999-2222-4333-8444-555555555555',
  `net-define ${join(documents, 'missing.xml')}`, `net-define ${documents}`, `net-define ${at('broken')}`, `net-create ${at('broken')}`, `net-define ${at('nameless')}`, `net-define ${at('range')}`,
  'net-event --list', 'net-event --event lifecycle --timeout 1', 'net-event default --event lifecycle --loop --timestamp --timeout 1',
  'net-event --timeout 1', 'net-event --event foo --timeout 1',
  'net-list --name --uuid', 'net-list --table --name', 'net-destroy default', 'net-list', 'net-list --inactive --all',
];
const misuses = ['nocmd', 'net-start', 'net-info a b', 'net-list extra', 'net-start --foo default', 'net-start --network'];

beforeAll(async () => {
  await mkdir(documents);
  for (const [name, text] of Object.entries(files)) await writeFile(join(documents, `${name}.xml`), text);
});
afterAll(() => folder.close());

describe.skipIf(!virsh).each([[[]], [['-q']]])('beside virsh %j', (options) => {
  let theirs: Printed[];
  beforeAll(async () => {
    daemon = await startDaemon(['--root', await fresh(options), '--driver', 'test']);
    // virsh's test driver starts with a network of its own; both begin with virsh's.
    const { stdout } = await run('virsh', ['-c', 'test:///default', 'net-dumpxml default']);
    const file = join(documents, 'default.xml');
    await writeFile(file, stdout);
    for (const step of ['net-destroy default', 'net-undefine default', 'net-undefine private', `net-define ${file}`, 'net-start default']) {
      expect(await runStep(step, [])).toMatchObject({ code: 0 });
    }
    theirs = await runVirsh(steps, options);
  });
  afterAll(() => daemon.stop());

  it.each(steps.map((step, i) => [i, step.replaceAll(documents, '')] as const))('%i: %s', async (i) => {
    const { code, out, err } = await runStep(steps[i]!, options);
    expect(common({ out, err })).toEqual(common(theirs[i]!));
    // To see nothing in its time is a failure of virsh's too, without a word.
    expect(code === 0).toBe(theirs[i]!.err === '' && !theirs[i]!.out.includes('events received: 0'));
  });
});

async function fresh(options: readonly string[]): Promise<string> {
  const root = join(folder.path, options.length === 0 ? 'plain' : 'quiet');
  await mkdir(root);
  return root;
}

describe.skipIf(!virsh)('a bad command line', () => {
  it.each(misuses)('%s', async (misuse) => {
    const theirs = spawnSync('virsh', ['-c', 'test:///default', ...misuse.split(' ')], { encoding: 'utf8' });
    const ours = await runVnet(misuse.split(' '));
    expect(common(ours)).toEqual({ out: theirs.stdout, err: theirs.stderr });
    expect([theirs.status, ours.code]).toEqual([1, 2]);
  });
});

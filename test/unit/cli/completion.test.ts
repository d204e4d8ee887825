/** What TAB offers: the answers, and the scripts in the shells themselves. */
import { execFile, spawnSync } from 'node:child_process';
import { chmod, readFile, rm, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { commands } from '../../../client/cli/commands.js';
import type { ListAllNetworksRequest, NetworkDriver } from '../../../shared/gen/vnet/v1/network_driver.js';
import { runVnet, type Scene } from './run-vnet.js';

const row = (name: string, active: boolean) => ({
  network: { name, uuid: '' }, active, persistent: true, autostart: false, bridge: '', forwardMode: 'nat', addresses: [],
});
const driver: Partial<NetworkDriver> = {
  listAllNetworks: async ({ active }: ListAllNetworksRequest) =>
    ({ networks: [row('default', true), row('lab', false), row('evil\x1b[2J', true)].filter((one) => active === undefined || one.active === active) }),
};

/** What is offered for the last word, which may be empty. */
async function offers(line: string, scene: Scene = { driver }): Promise<string[]> {
  const { code, out, err } = await runVnet(['__complete', '--', ...line.split(' ')], scene);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out.split('\n').filter((text) => text !== '').map((text) => text.split('\t')[0]!);
}

describe('the answers', () => {
  // The program is a few files; here there are hundreds, and half a second is little to read them the first time.
  beforeAll(async () => void await runVnet(['__complete', '--', 'start', ''], { driver }));

  it.each([
    ['st', ['start', 'stop', 'status']],
    ['net-d', ['net-define', 'net-destroy', 'net-dumpxml', 'net-desc', 'net-dhcp-leases']],
    ['start ', ['lab']],
    ['start lab ', ['lab']],
    ['destroy ', ['default']],
    ['net-info d', ['default']],
    ['info default ', []],
    ['-o ', ['table', 'json', 'yaml', 'name', 'uuid']],
    ['list -o j', ['json']],
    ['list --in', ['--inactive']],
    ['--ver', ['--verbose', '--version']],
    ['define ', [':files']],
    ['validate a.xml b', [':files']],
    ['completion ', ['bash', 'zsh', 'fish']],
    ['help net-st', ['net-start']],
    ['adm', ['admin']],
    ['admin ', ['clients', 'disconnect', 'log-level']],
    ['admin log', ['log-level']],
    ['help admin d', ['disconnect']],
    ['admin nocmd ', []],
    ['nocmd ', []],
    ['leases --mac ', []],
  ])('%j offers %j', async (line, expected) => {
    expect(await offers(line)).toEqual(expected);
  });

  it('say what a network is', async () => {
    expect((await runVnet(['__complete', '--', 'stop', ''], { driver })).out).toBe('default\tactive, nat\n');
  });

  it('come from where the line says', async () => {
    const { opened } = await runVnet(['__complete', '--', '-r', '-c', 'test:///default', 'start', ''], { driver, env: { VNET_URI: 'vnet:///other' } });
    expect(opened).toEqual([{ uri: 'test:///default', options: { readonly: true, timeoutMs: 500 } }]);
    expect((await runVnet(['__complete', '--', '--connect=test:///default', 'start', ''], { driver })).opened[0]?.uri).toBe('test:///default');
  });

  it('are none, in silence and soon, where nobody answers', async () => {
    expect(await offers('start ', { refusal: new Error('no daemon') })).toEqual([]);
    const before = performance.now();
    expect(await offers('start ', { driver: { listAllNetworks: () => new Promise(() => undefined) } })).toEqual([]);
    expect(performance.now() - before).toBeLessThan(2_000);
  });

  it('offer every command that help shows', async () => {
    const offered = new Set([...await offers(''), ...await offers('net-')]);
    for (const second of await offers('admin ')) offered.add(`admin ${second}`);
    expect(commands.filter(({ hidden, name }) => hidden !== true && !offered.has(name))).toEqual([]);
    expect(offered).not.toContain('__complete');
  });
});

it('there is no script for other shells', async () => {
  expect(await runVnet(['completion', 'fihs'])).toMatchObject({ code: 2, err: "error: no completion for shell 'fihs'\nhint: did you mean 'fish'?\n" });
});

describe('the scripts', () => {
  const run = promisify(execFile);
  const has = (shell: string) => spawnSync(shell, ['-c', 'true']).error === undefined;
  let folder: string;
  let env: Record<string, string>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vnet-completion-'));
    // Answers with what the test has written, and keeps what it was asked.
    await writeFile(join(folder, 'vnet'), `#!/bin/sh\nshift 2\nprintf '%s|' "$@" > ${folder}/asked\ncat ${folder}/answer\n`);
    await chmod(join(folder, 'vnet'), 0o755);
    for (const shell of ['bash', 'zsh', 'fish']) await writeFile(join(folder, shell), (await runVnet(['completion', shell])).out);
    env = { PATH: `${folder}:${process.env['PATH']}`, HOME: folder, LC_ALL: 'C.UTF-8', TERM: 'dumb' };
  });
  beforeEach(() => writeFile(join(folder, 'asked'), ''));
  afterAll(() => rm(folder, { recursive: true }));
  const answer = (text: string) => writeFile(join(folder, 'answer'), text);
  const asked = () => readFile(join(folder, 'asked'), 'utf8');

  describe.skipIf(!has('bash'))('bash', () => {
    const press = async (line: string) => {
      const { stdout, stderr } = await run('bash', ['--norc', '-c',
        'source "$1"; compopt() { echo "compopt $*"; }; COMP_LINE=$2 COMP_POINT=${#2}; _vnet; printf "%s\\n" "${COMPREPLY[@]}"', 'bash', join(folder, 'bash'), line], { env });
      expect(stderr).toBe('');
      return stdout.split('\n').filter((text) => text !== '');
    };
    it('offers values without descriptions', async () => {
      await answer('default\tactive, nat\nlab\tinactive\n');
      expect(await press('vnet -q info ')).toEqual(['default', 'lab']);
      expect(await asked()).toBe('-q|info||');
    });
    it('keeps words with colons together, and offers what follows the last colon', async () => {
      await answer('52:54:00:00:00:01\t\n');
      expect(await press('vnet -c test:///default leases default --mac 52:54:0')).toEqual(['00:00:00:01']);
      expect(await asked()).toBe('-c|test:///default|leases|default|--mac|52:54:0|');
    });
    it('leaves file names to the shell', async () => {
      await answer(':files\n');
      expect(await press('vnet define /etc/')).toEqual(['compopt -o default']);
    });
    it('offers a name that means something to the shell as a word', async () => {
      await answer('$(reboot)\t\n');
      expect(await press('vnet start ')).toEqual(['\\$\\(reboot\\)']);
    });
  });

  describe.skipIf(!has('fish'))('fish', () => {
    const press = async (line: string) => (await run('fish', ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', join(folder, 'fish'), line], { env, cwd: folder })).stdout.split('\n').filter((text) => text !== '');
    it('offers values with descriptions', async () => {
      await answer('default\tactive, nat\nlab\tinactive\n');
      expect(await press('vnet -c test:///default info ')).toEqual(['default\tactive, nat', 'lab\tinactive']);
      expect(await asked()).toBe('-c|test:///default|info||');
    });
    it('leaves file names to the shell', async () => {
      await answer(':files\n');
      expect(await press('vnet define ./answ')).toEqual(['./answer']);
    });
  });

  describe.skipIf(!has('zsh'))('zsh', () => {
    /** Types a line with TAB into a zsh on a terminal of its own; gives what the screen shows once it has what is awaited. */
    const press = async (line: string, awaited: string) => {
      const script = `
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "PS1=; autoload -Uz compinit; compinit -u -D; source $1; print rea\\"\\"dy"
        zpty -r -m shell screen "*ready*"
        zpty -w -n shell "$2"$'\\t'
        zpty -r -m shell screen "*$3*"
        print -r -- "$screen"
        zpty -d shell`;
      return (await run('zsh', ['-f', '-c', script, 'zsh', join(folder, 'zsh'), line, awaited], { env, timeout: 15_000 })).stdout;
    };
    it('completes a network', async () => {
      await answer('default\tactive, nat\n');
      expect(await press('vnet -c test:///x info de', 'default ')).toContain('default');
      expect(await asked()).toBe('-c|test:///x|info|de|');
    });
    it('shows what there is to choose', async () => {
      await answer('default\tactive, nat\nlab\tinactive\n');
      expect(await press('vnet info ', 'lab*inactive')).toMatch(/default.*active, nat/);
    });
  });
});

/** The one table of commands, and everything that is made from it: no two may disagree. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { namesOf } from '../../../client/cli/command.js';
import { commands, globalOptions } from '../../../client/cli/commands.js';
import { Exit } from '../../../client/cli/failure.js';
import { exitMeanings, renderManual } from '../../../client/cli/manual.js';
import { optionsOf } from '../../../client/cli/parse.js';
import { runVnet } from './run-vnet.js';

const shown = commands.filter(({ hidden }) => hidden !== true);
const virshWords = [
  'net-list', 'net-info', 'net-define', 'net-create', 'net-start', 'net-destroy', 'net-undefine', 'net-dumpxml', 'net-autostart',
  'net-name', 'net-uuid', 'net-edit', 'net-dhcp-leases', 'net-port-list', 'net-port-create', 'net-port-dumpxml', 'net-port-delete',
  'net-update', 'net-desc', 'net-metadata', 'net-event',
];

describe('the table', () => {
  it('has no name twice', () => {
    const names = commands.flatMap(namesOf);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it.each(commands.map((command) => [command.name, command] as const))('no option of %s has another\'s name or letter', (_, command) => {
    const names = optionsOf(command).flatMap(({ name, short }) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it('has every word of virsh', () => {
    expect(virshWords.filter((word) => !commands.some((command) => namesOf(command).includes(word)))).toEqual([]);
  });
});

describe('help', () => {
  it('names every command and option of the program, on standard output', async () => {
    const { code, out, err, opened } = await runVnet(['--help']);
    expect({ code, err, opened }).toEqual({ code: 0, err: '', opened: [] });
    for (const { name, summary } of shown) expect(out).toMatch(new RegExp(`^  ${name}\\b.* ${summary.replace(/[().*+?$]/g, '\\$&')}$`, 'm'));
    for (const { name } of globalOptions) expect(out).toContain(`--${name}`);
    expect(out).not.toContain('__complete');
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(90);
  });

  it.each(commands.flatMap((command) => namesOf(command).map((name) => [name, command] as const)))('of %s is the same in both spellings', async (name, command) => {
    const words = name.split(' ');
    const asked = await runVnet(['help', ...words]);
    expect(asked).toMatchObject({ code: 0, err: '' });
    expect((await runVnet([...words, '--help'])).out).toBe(asked.out);
    for (const part of [...(command.arguments ?? []).map((word) => `<${word.name}>`), ...(command.options ?? []).map((option) => `--${option.name}`)]) {
      expect(asked.out).toContain(part);
    }
  });

  it('without a command is an error, and says what there is', async () => {
    const { code, out, err } = await runVnet([]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('Usage: vnet');
  });

  it('of no command is an error', async () => {
    expect(await runVnet(['help', 'strat'])).toMatchObject({ code: 2, err: "error: unknown command: 'strat'\nhint: did you mean 'start'?\n" });
  });
});

describe('the manual', () => {
  const manual = renderManual();
  const groff = spawnSync('man', ['--version']).status === 0 && spawnSync('groff', ['--version']).status === 0;
  const mandoc = spawnSync('mandoc', ['-T', 'lint', '/dev/null']).error === undefined;

  it('has every command, option, exit code and section', () => {
    const plain = manual.replaceAll('\\-', '-');
    for (const { name, options = [] } of shown) {
      expect(plain).toContain(`\n.B ${name}`);
      for (const option of options) expect(plain).toContain(`\n.B --${option.name}`);
    }
    for (const { name } of globalOptions) expect(plain).toContain(`--${name}`);
    for (const code of Object.values(Exit).filter((value) => typeof value === 'number')) expect(plain).toContain(`\n.B ${code}\n${exitMeanings[code]}`);
    for (const section of ['NAME', 'SYNOPSIS', 'FILES', 'ENVIRONMENT', 'EXIT STATUS', 'EXAMPLES', 'COMING FROM VIRSH']) expect(plain).toContain(`.SH ${section}\n`);
  });

  it('is what vnet man prints', async () => {
    expect(await runVnet(['man'])).toMatchObject({ code: 0, out: manual, err: '' });
  });

  it.skipIf(!groff)('formats without a warning', () => {
    const { stdout, stderr } = spawnSync('man', ['--warnings', '-l', '-'], { input: manual, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '80' } });
    expect(stderr).toBe('');
    expect(stdout).toContain('COMING FROM VIRSH');
  });

  it.skipIf(!mandoc)('has nothing that mandoc warns of', () => {
    const { stdout } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning'], { input: manual, encoding: 'utf8' });
    // An empty date is on purpose: the page is made when it is asked for.
    expect(stdout.split('\n').filter((line) => line !== '' && !/missing date/.test(line))).toEqual([]);
  });
});

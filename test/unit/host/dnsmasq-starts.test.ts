/** Many dnsmasqs started in one call, and what becomes of those that do not start. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandError, openCommands, type Commands } from '../../../server/host/command.js';
import { openStarts } from '../../../server/host/dnsmasq/process.js';

let folder: string;
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'vnet-starts-')); });
afterEach(() => rm(folder, { recursive: true }));

const traces = (name: string) => ({ conf: join(folder, `${name}.conf`), pid: join(folder, `${name}.pid`) });

/** A dnsmasq that has its words for configurations whose name begins with `bad`, and what was asked of it. */
function dnsmasq(): Commands & { calls: string[][] } {
  const calls: string[][] = [];
  return {
    ...openCommands(), calls,
    run: async (tool, argv, { each } = {}) => {
      const all = each ?? argv;
      calls.push(all.map((argument) => /(\w+)\.conf$/.exec(argument)![1]!));
      if (all.some((argument) => /bad\w*\.conf$/.test(argument))) throw new CommandError(tool, 'dnsmasq: bad option');
    },
  };
}

describe('dnsmasqs that are started at once', () => {
  it('are started in one call, and one alone without any other program', async () => {
    const commands = dnsmasq();
    const starts = openStarts(commands);
    await Promise.all(['a', 'b', 'c'].map((name) => starts.add(traces(name))));
    await starts.add(traces('d'));
    expect(commands.calls).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it('say their own words, and none that runs is started twice', async () => {
    const commands = dnsmasq();
    const starts = openStarts(commands);
    // A program with the right argument and pid stands for one that runs.
    const stand = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', '--', `--conf-file=${traces('up').conf}`], { stdio: 'ignore' });
    await writeFile(traces('up').pid, String(stand.pid));
    const results = await Promise.allSettled(['up', 'bad1', 'a'].map((name) => starts.add(traces(name))));
    stand.kill();
    expect(results).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: { message: expect.stringContaining('dnsmasq failed: bad option') } }, { status: 'fulfilled' }]);
    expect(commands.calls).toEqual([['up', 'bad1', 'a'], ['bad1'], ['a']]);
  });
});

describe('a program that is run many times', () => {
  const door = openCommands({ dnsmasq: '/usr/bin/touch' });

  it('gets each as its last argument, whatever is in it', async () => {
    const files = ['one', 'two words', "it's", '--three'].map((name) => join(folder, name));
    await door.run('dnsmasq', ['-a'], { each: files });
    for (const file of files) expect((await stat(file)).isFile()).toBe(true);
  });

  it('is run for all, and fails if one does', async () => {
    const good = join(folder, 'good');
    await expect(door.run('dnsmasq', [], { each: [join(folder, 'no/such'), good] })).rejects.toMatchObject({ words: expect.stringContaining('no/such') });
    expect((await stat(good)).isFile()).toBe(true);
  });

  it('is not run for what could be two', async () => {
    await expect(door.run('dnsmasq', [], { each: ['a\0b'] })).rejects.toThrow(/control characters/);
  });
});

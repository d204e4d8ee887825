/** What systemd's journal is told of a line: its priority. */
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isJournal, withPriority } from '../../../server/service/journal.js';
import { dist, openFolder, until } from '../../processes.js';

it.each([[10, 7], [20, 7], [30, 6], [40, 4], [50, 3], [60, 2]])('a line of level %i has priority %i', (level, priority) => {
  const lines: string[] = [];
  withPriority({ write: (line) => void lines.push(line) }).write(`{"level":${level},"msg":"\\"level\\":60"}\n`);
  expect(lines).toEqual([`<${priority}>{"level":${level},"msg":"\\"level\\":60"}\n`]);
});

it('what is no line of the log is information', () => {
  const lines: string[] = [];
  withPriority({ write: (line) => void lines.push(line) }).write('plain\n');
  expect(lines).toEqual(['<6>plain\n']);
});

it('a daemon whose standard error is the journal writes priorities, and any other none', async () => {
  const folder = await openFolder();
  const file = join(folder.path, 'stderr');
  for (const matches of [true, false]) {
    const fd = openSync(file, 'w');
    const { dev, ino } = fstatSync(fd, { bigint: true });
    const stream = `${dev}:${matches ? ino : ino + 1n}`;
    expect(isJournal({ JOURNAL_STREAM: stream }, fd)).toBe(matches);
    const child = spawn(process.execPath, [join(dist, 'bin/vnetd.js'), '--driver', 'test', '--root', folder.path], { stdio: ['ignore', 'ignore', fd], env: { ...process.env, JOURNAL_STREAM: stream } });
    closeSync(fd);
    const lines = async () => (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
    await until('ready', async () => (await lines()).some((line) => line.includes('"msg":"ready"')));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await ended;
    for (const line of await lines()) expect(line).toMatch(matches ? /^<[2-7]>\{"level":/ : /^\{"level":/);
  }
  await folder.close();
}, 60_000);

it('nothing is the journal where systemd says nothing', () => {
  expect(isJournal({})).toBe(false);
  expect(isJournal({ JOURNAL_STREAM: '8:1' }, 9999)).toBe(false);
});

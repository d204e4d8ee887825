/** The list of faults that vnet is to survive, each with the tests that are named after it. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const faults: Record<string, string> = {
  F1: 'killed at every step', F2: 'a failure at every step', F3: 'killed again while what was cut off is settled', F4: 'power is lost',
  F5: 'a disk is full', F6: 'a file system is read-only', F7: 'dnsmasq ends, once or over and over', F8: 'a pid is another program\'s by now',
  F9: 'a tool is missing', F10: 'a bridge is removed', F11: 'a bridge is altered', F12: 'rules are flushed', F13: 'firewalld comes and goes',
  F14: 'other firewalls, or none', F15: 'a tool hangs', F16: 'the host is rebooted', F17: 'restarts beside running guests', F18: 'files of another version',
  F19: 'the clock is set', F21: 'two daemons', F22: 'the host\'s addresses change', F23: 'very many networks at once', F24: 'a client vanishes',
  F25: 'a watcher does not read', F26: 'signals', F27: 'rights are missing', F28: 'files of dnsmasq are spoiled', F29: 'certificates are exchanged', F30: 'very many definitions, some damaged',
};

it('is covered', async () => {
  const folder = new URL('..', import.meta.url).pathname;
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.test.ts'));
  const titles = (await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))).flatMap((text) => [...text.matchAll(/\bit\b[^\n]*?['`]((?:F\d+(?:, )?)+):/g)].map(([, rows]) => rows!));
  const covered = new Set(titles.flatMap((rows) => rows.split(', ')));
  expect(Object.keys(faults).filter((row) => !covered.has(row))).toEqual([]);
  expect([...covered].filter((row) => !(row in faults))).toEqual([]);
});

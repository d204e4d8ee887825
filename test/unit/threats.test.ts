/** The list of threats that vnet is to withstand, each with the tests that are named after it. What takes a defence out of the wire's rows is in test/defences. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defences, wireRows } from '../defences/table.js';

const threats: Record<string, string> = {
  T1: 'text that becomes a line of dnsmasq\'s', T2: 'a name that leads to another file', T3: 'a name that is no interface, or another\'s', T4: 'a name that becomes a rule',
  T5: 'a subnet or a route that is somebody else\'s', T6: 'options of dnsmasq', T7: 'documents that take time or memory', T8: 'a document that two readers read differently',
  T9: 'names that JavaScript knows', T10: 'messages too large, or compressed', T11: 'messages in tiny pieces', T12: 'connections that say nothing, or half of it',
  T13: 'handshakes that do not end', T14: 'HTTP/2 as it is not meant', T15: 'connections without end', T16: 'certificates that are none', T17: 'names that pose as others',
  T18: 'certificates that are taken back', T19: 'a server that is another, and words for ssh', T20: 'changes by who may only read', T21: 'what is hidden', T22: 'a change between decision and deed',
  T23: 'the unix sockets in the file system', T24: 'another account over a unix socket', T25: 'forged lines and terminals', T26: 'names that guests give themselves', T27: 'addresses all taken by a guest',
  T28: 'dnsmasq itself', T29: 'guests with addresses of others', T30: 'guests that want more than their network', T31: 'the outside that asks dnsmasq', T32: 'damaged files',
  T33: 'files that others can read', T34: 'changes without a record', T35: 'packages',
};

/** The rows in the title of every test: `T17: ...`, `T16, T17: ...`, `F29: T18: ...`. */
async function titled(): Promise<string[]> {
  const folder = new URL('..', import.meta.url).pathname;
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.test.ts'));
  const title = /(?:\bit\b[^\n]*?|^ *\][^\n]*?\()['`](?:(?:F\d+(?:, )?)+: )?((?:T\d+(?:, )?)+):/gm;
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) => [...text.matchAll(title)].flatMap(([, rows]) => rows!.split(', ')));
}

it('each has a test', async () => {
  const rows = new Set(await titled());
  expect(Object.keys(threats).filter((row) => !rows.has(row))).toEqual([]);
  expect([...rows].filter((row) => !(row in threats))).toEqual([]);
});

it('each of the wire has a defence that is taken out, and each of these stands where it is looked for', async () => {
  expect(wireRows.filter((row) => !defences.some((one) => one.row === row))).toEqual([]);
  expect([...new Set(defences.map(({ row }) => row))].filter((row) => !(row in threats))).toEqual([]);
  const root = new URL('../..', import.meta.url).pathname;
  for (const { row, what, file, text } of defences) {
    const found = (await readFile(join(root, file), 'utf8')).split(text).length - 1;
    expect({ row, what, file, found }).toEqual({ row, what, file, found: 1 });
  }
});

it('each defence is taken out before the eyes of a test that is named after its row', async () => {
  const root = new URL('../..', import.meta.url).pathname;
  for (const { row, what, test, pattern } of defences) {
    const text = await readFile(join(root, test), 'utf8');
    expect({ row, what, named: pattern.split(/[^T\d]+/).includes(row), there: text.includes(pattern) }).toEqual({ row, what, named: true, there: true });
  }
});

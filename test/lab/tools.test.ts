/** Tools that are missing, or hang: the start fails with that reason and leaves nothing, and networks that need no such tool start. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ErrorCode } from '../../shared/errors.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Lab } from './lab.js';

const served = planFrom(`<network><name>served</name><uuid>4b6bd1a5-3c5e-4f0e-9f11-0000000000e1</uuid><forward mode='nat'/>
  <bridge name='lab-served' stp='off'/><ip address='192.168.174.1' prefix='24'><dhcp><range start='192.168.174.10' end='192.168.174.20'/></dhcp></ip></network>`);
const plain = planFrom(`<network><name>plain</name><uuid>4b6bd1a5-3c5e-4f0e-9f11-0000000000e2</uuid>
  <bridge name='lab-plain' stp='off'/><dns enable='no'/><ip address='192.168.175.1' prefix='24'/></network>`);

let lab: Lab;
beforeEach(async () => { lab = await openLab(); }, 60_000);
afterEach(() => lab.close());

/** The interfaces, rules and processes that a network would leave. */
async function traces(): Promise<unknown> {
  const processes = await runProgram('ps', ['-eo', 'args']);
  return {
    links: (await runProgram('ip', ['-o', 'link'])).match(/lab-(served|plain)/g),
    rules: (await runProgram('nft', ['list', 'ruleset'])).match(/lab-(served|plain)/g),
    processes: processes.split('\n').filter((line) => line.includes(`${lab.folder}/`)).filter((line) => /served\.conf|plain\.conf|tool-/.test(line)),
  };
}
const nothing = { links: null, rules: null, processes: [] };

it('F9: without dnsmasq a network with DHCP is refused, saying so, and one without DHCP and DNS starts; once it is there, no new start of the daemon is needed', async () => {
  const link = join(lab.folder, 'tool-dnsmasq');
  const host = await openLabHost(lab, { toolPaths: { dnsmasq: link } });
  try {
    await expect(host.bringUp(served)).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: "cannot find 'dnsmasq' on this host" });
    expect(await traces()).toEqual(nothing);
    await host.bringUp(plain);
    expect((await host.observe([plain])).standing).toEqual([{ bridge: true, dnsmasq: true, firewall: true }]);
    await host.tearDown(plain, { forget: true });
    await runProgram('ln', ['-s', '/usr/sbin/dnsmasq', link]);
    await host.bringUp(served);
    await host.tearDown(served, { forget: true });
    expect(await traces()).toEqual(nothing);
  } finally {
    await host.close();
  }
}, 60_000);

it('F15: a tool that hangs is killed at its deadline, and what came before it is undone', async () => {
  await mkdir(lab.folder, { recursive: true });
  const [mark, tool] = [join(lab.folder, 'hang'), join(lab.folder, 'tool-ip')];
  // Hangs at the first batch that comes while the mark is there.
  await writeFile(tool, `#!/bin/sh\ncase "$*" in *-batch*) if rm ${mark} 2>/dev/null; then exec sleep 300; fi;; esac\nexec ip "$@"\n`, { mode: 0o755 });
  const host = await openLabHost(lab, { toolPaths: { ip: tool } });
  try {
    await writeFile(mark, '');
    const began = performance.now();
    await expect(host.bringUp(served)).rejects.toThrow(/no end within \d+ ms; killed/);
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(await traces()).toEqual(nothing);
    expect((await runProgram('ps', ['-eo', 'args'])).includes('sleep 300')).toBe(false);
    await host.bringUp(served);
    await host.tearDown(served, { forget: true });
  } finally {
    await rm(mark, { force: true });
    await host.close();
  }
}, 90_000);

it.each([
  ['has no JSON', '--json', 'Error: JSON support not compiled-in'],
  ['does not know a word of the rules', '-f', "/dev/stdin:3:7-14: Error: syntax error, unexpected newline"],
])('F9: an nft that is old and %s refuses the start in its own words, and nothing is left', async (_, option, words) => {
  const tool = join(lab.folder, 'tool-nft');
  await writeFile(tool, `#!/bin/sh\ncase "$1" in ${option}) cat >/dev/null 2>&1; echo "${words}" >&2; exit 1;; esac\nexec nft "$@"\n`, { mode: 0o755 });
  const host = await openLabHost(lab, { toolPaths: { nft: tool } });
  try {
    await expect(host.bringUp(served)).rejects.toMatchObject({ code: ErrorCode.INTERNAL_ERROR, message: expect.stringContaining(words) });
    expect(await traces()).toEqual(nothing);
  } finally {
    await host.close();
  }
}, 60_000);

/** The one rule of iptables that completes checksums: when it comes and goes, and what is left of the table. */
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NetworkPlan } from '../../../server/driver/host.js';
import { openChecksums } from '../../../server/host/checksums.js';
import { CommandError, type Commands } from '../../../server/host/command.js';
import type { Firewall } from '../../../server/host/firewall/firewall.js';
import { silentLog } from '../../../server/log.js';
import { goldenCases } from './golden-cases.js';

const [one, two] = goldenCases().map(({ plan }) => plan) as [NetworkPlan, NetworkPlan];
const jump = '-p udp -m udp --sport 67 --dport 68 -j VNET_CHECKSUM';

/** What says that the rule was made. */
let mark: string;
beforeEach(async () => { mark = join(await mkdtemp(join(tmpdir(), 'vnet-checksums-')), 'checksums'); });
afterEach(() => rm(join(mark, '..'), { recursive: true }));
const isMarked = () => access(mark).then(() => true, () => false);

/** A door that plays back what iptables and nft print, and notes what was run. */
function door(saved: string[], listed: unknown[] = []) {
  const runs: [string, string][] = [];
  const commands: Commands = {
    require: async () => undefined,
    read: async (tool) => {
      if (tool === 'nft' && listed.length === 0) throw new CommandError('nft', 'Error: No such file or directory');
      return tool === 'nft' ? JSON.stringify({ nftables: listed }) : `*mangle\n:POSTROUTING ACCEPT [0:0]\n${saved.shift() ?? ''}COMMIT\n`;
    },
    run: async (tool, _argv, options) => void runs.push([tool, options?.input ?? '']),
    follow: () => Promise.reject(new Error('nobody follows')),
  };
  return { runs, commands, checksums: openChecksums(commands, mark, silentLog) };
}

const stands = `:VNET_CHECKSUM - [0:0]\n-A POSTROUTING ${jump}\n-A VNET_CHECKSUM -p udp -j CHECKSUM --checksum-fill\n`;
const made = ['iptables-restore', `*mangle\n:VNET_CHECKSUM -\n-A VNET_CHECKSUM -p udp -j CHECKSUM --checksum-fill\n-A POSTROUTING ${jump}\nCOMMIT\n`];
const gone = ['iptables-restore', `*mangle\n-D POSTROUTING ${jump}\n-F VNET_CHECKSUM\nCOMMIT\n*mangle\n-X VNET_CHECKSUM\nCOMMIT\n`];
const chain = { chain: { name: 'POSTROUTING', hook: 'postrouting', policy: 'accept' } };

describe('the rule that completes checksums', () => {
  it('comes with the first network and goes with the last', async () => {
    const { runs, checksums } = door([stands]);
    for (const plan of [one, two]) await checksums.need(plan);
    checksums.release(one);
    await checksums.tidy();
    expect([runs, await isMarked()]).toEqual([[made], true]);
    checksums.release(two);
    await checksums.tidy();
    checksums.release(two);
    await checksums.tidy();
    expect([runs, await isMarked()]).toEqual([[made, gone], false]);
  });

  it('that an earlier vnet made is known again, also if its networks are gone already', async () => {
    for (const adopted of [true, false]) {
      await writeFile(mark, '');
      const { runs, checksums } = door([stands]);
      if (adopted) checksums.adopt(one);
      checksums.release(one);
      await checksums.tidy();
      expect([runs, await isMarked()]).toEqual([[gone], false]);
    }
  });

  it('that an earlier vnet made and somebody took away meanwhile is missed, and made again', async () => {
    await writeFile(mark, '');
    const { runs, checksums } = door(['', '', stands]);
    const beside = checksums.beside({ apply: async () => undefined, present: async () => [true] } as unknown as Firewall);
    checksums.adopt(one);
    expect(await beside.present([one])).toEqual([false]);
    await beside.apply([one]);
    expect(runs).toEqual([made]);
    expect(await beside.present([one])).toEqual([true]);
  });

  it('that cannot be made is not missed later', async () => {
    const { checksums } = door(['']);
    const refusing = openChecksums({ ...door(['']).commands, run: () => Promise.reject(new CommandError('iptables-restore', 'no')) }, mark, silentLog);
    await refusing.need(one);
    expect(await isMarked()).toBe(false);
    checksums.adopt(one);
    expect(await checksums.beside({ present: async () => [true] } as unknown as Firewall).present([one])).toEqual([true]);
  });

  it('is not looked for by a network that never needed it, and not removed if there is none', async () => {
    const { runs, checksums } = door(['']);
    checksums.release(one);
    await checksums.tidy();
    checksums.adopt(one);
    checksums.release(one);
    await checksums.tidy();
    expect(runs).toEqual([]);
  });

  it.each([
    ['nothing is in it', [chain], true], ['there is a rule', [chain, { rule: {} }], false],
    ['it drops', [{ chain: { ...chain.chain, policy: 'drop' } }], false], ['there is a chain of its own', [chain, { chain: { name: 'MINE' } }], false],
  ])('leaves a table of iptables behind unless %s', async (_, listed, swept) => {
    const { runs, checksums } = door([stands], listed);
    await checksums.need(one);
    checksums.release(one);
    await checksums.tidy();
    expect(runs.slice(2)).toEqual(swept ? [['nft', 'delete chain ip mangle POSTROUTING\ndelete table ip mangle\n']] : []);
  });
});

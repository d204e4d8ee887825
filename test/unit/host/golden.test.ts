/**
 * What is rendered from a network, beside its document. UPDATE_GOLDEN=1 writes
 * the files anew; the difference is then for a person to read.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { needsDnsmasq, renderConf, type DnsmasqFiles } from '../../../server/host/dnsmasq/conf.js';
import { renderHosts, renderNames } from '../../../server/host/dnsmasq/hosts.js';
import { renderBase, renderNetwork, renderRemoval } from '../../../server/host/firewall/nftables-rules.js';
import { renderAddresses, renderBridge } from '../../../server/host/link.js';
import { fileStem } from '../../../server/host/safe-text.js';
import type { NetworkPlan } from '../../../server/driver/host.js';
import { goldenCases } from './golden-cases.js';

const update = process.env['UPDATE_GOLDEN'] === '1';
const environment = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
const hasDnsmasq = spawnSync('dnsmasq', ['--version'], { env: environment }).status === 0;

const filesOf = (plan: NetworkPlan): DnsmasqFiles => {
  const at = `/var/lib/vnet/dnsmasq/${fileStem(plan)}`;
  return {
    conf: `${at}.conf`, hosts: `${at}.hostsfile`, names: `${at}.addnhosts`, leases: `${at}.leases`,
    pid: `/run/vnet/dnsmasq/${fileStem(plan)}.pid`, servers: '/var/lib/vnet/dnsmasq/servers',
  };
};

/** Every face of a network; none where it has no such face. */
function render(plan: NetworkPlan): Record<string, string> {
  const faces: Record<string, string> = {
    'ip.batch': renderBridge(plan) + renderAddresses(plan),
    'apply.nft': renderNetwork(plan),
    'remove.nft': renderRemoval(plan),
    ...(needsDnsmasq(plan) ? {
      'dnsmasq.conf': renderConf(plan, filesOf(plan), { user: 'dnsmasq', group: 'nogroup' }), hostsfile: renderHosts(plan), addnhosts: renderNames(plan),
    } : {}),
  };
  return Object.fromEntries(Object.entries(faces).filter(([, text]) => text !== ''));
}

describe('rendered from a network', () => {
  for (const { name, folder, plan } of goldenCases()) {
    it(`${name}: the files beside its document`, () => {
      const rendered = render(plan);
      if (update) for (const [file, text] of Object.entries(rendered)) writeFileSync(join(folder, file), text);
      const golden = readdirSync(folder).filter((file) => file !== 'network.xml').map((file) => [file, readFileSync(join(folder, file), 'utf8')]);
      expect(rendered).toEqual(Object.fromEntries(golden));
    });

    it.skipIf(!hasDnsmasq || !needsDnsmasq(plan))(`${name}: a configuration that dnsmasq can read`, () => {
      const scratch = mkdtempSync(join(tmpdir(), 'vnet-golden-'));
      writeFileSync(join(scratch, 'conf'), render(plan)['dnsmasq.conf']!);
      const { stderr } = spawnSync('dnsmasq', ['--test', `--conf-file=${join(scratch, 'conf')}`], { env: environment, encoding: 'utf8' });
      rmSync(scratch, { recursive: true });
      expect(stderr).toBe('dnsmasq: syntax check OK.\n');
    });
  }

  it('all networks share rules that do not grow with their number', () => {
    expect(renderBase().split('\n').filter((line) => line.startsWith('add rule'))).toEqual([
      'add rule inet vnet forward iifname vmap @leave',
      'add rule inet vnet forward oifname vmap @enter',
      'add rule inet vnet postrouting iifname vmap @nat',
    ]);
  });
});

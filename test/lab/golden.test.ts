/** Every golden network on a real host: what is rendered is taken by ip, nft and dnsmasq, and nothing of it is left. */
import { mkdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../../server/driver/host.js';
import { goldenCases } from '../unit/host/golden-cases.js';
import { openLabHost } from './embedded-host.js';
import { openLab, runProgram, type Lab } from './lab.js';

describe('a golden network', () => {
  let lab: Lab;
  let host: Host;

  beforeAll(async () => {
    lab = await openLab();
    host = await openLabHost(lab);
    // The TFTP root of the case with odd texts.
    await mkdir('/run/tftp, "root" #1', { recursive: true });
  }, 400_000);

  afterAll(async () => {
    await host?.close();
    await lab?.close();
  });

  for (const { name, plan } of goldenCases()) {
    it(`stands and goes: ${name}`, async () => {
      await host.bringUp(plan);
      expect((await host.observe([plan])).standing).toEqual([{ bridge: true, dnsmasq: true, firewall: true }]);
      await host.tearDown(plan, { forget: true });
      expect((await host.observe([])).interfaces.sort()).toEqual(['lo', 'up0', 'up1']);
      expect(await runProgram('nft', ['list', 'tables'])).toBe('');
    });
  }
});

/**
 * Lives here: a host on which nothing happens, for the test driver: every
 * network comes up, and nothing of the machine is touched.
 */
import type { Host, NetworkPlan } from './host.js';

/** A new host with nothing on it. */
export function createIdleHost(): Host {
  const up = new Map<string, NetworkPlan>();
  return {
    probe: async () => ({ summary: 'idle host: networks exist in name only', missing: [] }),
    async bringUp(plan) {
      up.set(plan.uuid, plan);
    },
    async tearDown(plan) {
      up.delete(plan.uuid);
    },
    leases: async () => [],
    observe: async (plans) => ({
      interfaces: ['lo', ...[...up.values()].map(({ bridge }) => bridge)],
      routes: [],
      standing: plans.map(({ uuid }) => ({ bridge: up.has(uuid), dnsmasq: up.has(uuid), firewall: up.has(uuid) })),
    }),
    refresh: async () => undefined,
    async update(_, after) {
      up.set(after.uuid, after);
    },
    preview: async () => [],
    pool: async () => [],
    attach: async () => undefined,
    detach: async () => undefined,
    reshape: async () => undefined,
    releaseLease: async () => undefined,
    nextEvents: async () => [],
    diagnose: async () => [{ severity: 'ok', check: 'host', message: 'networks of this driver exist in name only: nothing on the machine can keep them from working' }],
    close: async () => undefined,
  };
}

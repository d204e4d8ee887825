/**
 * Lives here: a host on which nothing happens, for the test driver: every
 * network comes up, and nothing of the machine is touched.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { Host, HostEvent, HostLease, NetworkPlan } from './host.js';

/**
 * A new host with nothing on it.
 *
 * @param leased the leases of networks by their UUID, as if guests had them
 */
export function createIdleHost(leased: Readonly<Record<string, readonly HostLease[]>> = {}): Host {
  const up = new Map<string, NetworkPlan>();
  const leases = new Map(Object.entries(leased));
  const leasesOf = (uuid: string) => (leases.get(uuid) ?? []).filter(({ expiry }) => expiry === 0 || expiry > Date.now() / 1000);
  const events: HostEvent[] = [];
  let closed = false;
  let wake = () => {};
  return {
    probe: async () => ({ summary: 'idle host: networks exist in name only', missing: [] }),
    async bringUp(plan) {
      up.set(plan.uuid, plan);
    },
    async tearDown(plan) {
      up.delete(plan.uuid);
    },
    leases: async ({ uuid }) => leasesOf(uuid),
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
    async releaseLease({ uuid, name }, address) {
      const lease = leasesOf(uuid).find((one) => one.address === address);
      if (lease === undefined) throw new NetworkError(ErrorCode.OPERATION_INVALID, `network '${name}' has no lease of ${address}`);
      leases.set(uuid, leasesOf(uuid).filter((one) => one !== lease));
      events.push({ kind: 'lease', network: uuid, change: 'released', lease });
      wake();
    },
    async nextEvents() {
      if (events.length === 0 && !closed) await new Promise<void>((resolve) => { wake = resolve; });
      return events.splice(0);
    },
    diagnose: async () => [{ severity: 'ok', check: 'host', message: 'networks of this driver exist in name only: nothing on the machine can keep them from working' }],
    async close() {
      closed = true;
      wake();
    },
  };
}

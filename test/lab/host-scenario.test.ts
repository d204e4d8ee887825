/** The scenario with the Linux host in this process, without the rules above it. */
import type { NetworkPlan } from '../../server/driver/host.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { networkScenario } from './scenario.js';

networkScenario('by the Linux host in this process', async (lab) => {
  const host = await openLabHost(lab);
  const up = new Map<string, NetworkPlan>();
  const stop = async (name: string) => {
    await host.tearDown(up.get(name)!, { forget: true });
    up.delete(name);
  };
  return {
    start: async (xml) => {
      const plan = planFrom(xml);
      up.set(plan.name, plan);
      await host.bringUp(plan);
    },
    stop,
    close: async () => {
      for (const name of [...up.keys()]) await stop(name);
      await host.close();
    },
  };
});

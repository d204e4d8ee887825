/**
 * Lives here: other programs' rules that stop guests are named in the log, at
 * the daemon's start and when networks start, each once. Does not know: what is
 * done about them.
 */
import { parseNetwork } from '../../../shared/definition/index.js';
import type { NetworkPlan } from '../../driver/host.js';
import type { Log } from '../../log.js';
import type { Commands } from '../command.js';
import { readDefaultRoutes } from '../proc.js';
import { readForeignChains } from './read.js';
import { stoppagesOf, uplinksOf } from './stops.js';

/** Who warns. */
export interface Warnings {
  /** A network has started: it is looked at in a moment, together with others. */
  started(plan: NetworkPlan): void;
  close(): Promise<void>;
}

/** How long to wait for more networks that start, and at most while they do, in milliseconds. */
const [gatherMs, mostGatherMs] = [2000, 6000];

/** How much longer than a look the rest after it is: while hundreds of networks start, the machine has better to do. */
const restShare = 10;

/** A network such as a host gets, to ask at the daemon's start. */
const example: NetworkPlan = {
  uuid: '', name: '', bridge: 'virbr0',
  definition: parseNetwork("<network><name>a</name><forward mode='nat'/><ip address='192.168.122.1' prefix='24'/></network>").definition,
};

/**
 * Opens it, and looks once.
 *
 * @param settled the programs whose rules are seen to when a network starts
 */
export function openWarnings(commands: Commands, log: Log, settled: readonly string[]): Warnings {
  const said = new Set<string>();
  const waiting = new Map<string, NetworkPlan>([[example.uuid, example]]);
  let timer: NodeJS.Timeout | undefined;
  let looking = Promise.resolve();
  const look = async () => {
    const plans = [...waiting.values()];
    waiting.clear();
    const [chains, defaultRoutes] = await Promise.all([readForeignChains(commands), readDefaultRoutes()]);
    for (const plan of plans) {
      for (const hook of ['forward', 'input'] as const) {
        for (const { owner, where, message, advice } of stoppagesOf(plan, chains, uplinksOf(defaultRoutes), hook)) {
          if (said.has(where) || (plan === example && settled.includes(owner))) continue;
          said.add(where);
          log.warn({ ...(plan === example ? {} : { network: plan.name }), owner, advice }, `guests cannot reach what their network permits: ${message}`);
        }
      }
    }
  };
  let restUntilMs = -Infinity;
  let waitingSinceMs = performance.now();
  let busy = false;
  const lookOnce = async () => {
    const began = performance.now();
    busy = true;
    await look().catch((error: unknown) => log.debug({ err: error }, 'other programs\' firewall rules cannot be read'));
    busy = false;
    restUntilMs = performance.now() + restShare * (performance.now() - began);
    if (waiting.size > 0) soon();
  };
  const soon = () => {
    if (busy) return;
    clearTimeout(timer);
    const now = performance.now();
    timer = setTimeout(() => { looking = lookOnce(); }, Math.max(Math.min(now + gatherMs, waitingSinceMs + mostGatherMs), restUntilMs) - now).unref();
  };
  soon();
  return {
    started(plan) {
      if (waiting.size === 0) waitingSinceMs = performance.now();
      waiting.set(plan.uuid, plan);
      soon();
    },
    async close() {
      // What is asked for after this is not looked at.
      busy = true;
      clearTimeout(timer);
      await looking;
    },
  };
}

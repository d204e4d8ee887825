/**
 * Lives here: what the daemon is made of, put together: who may what, what
 * answers, who is told of it, and the ways in. Does not know: the process it
 * runs in.
 */
import { openAccess } from './access/access.js';
import { adminFor, type Leveled } from './access/admin.js';
import { openAudit } from './access/audit.js';
import { createCallLog } from './call-log.js';
import { Calls } from './calls.js';
import type { Config } from './config.js';
import { Connections } from './connections.js';
import { openTestDriver } from './driver/test-driver.js';
import { openConfiguredDriver, type EmbeddedDriver } from './embed.js';
import { Health } from './health.js';
import { createIdentify } from './identity/identify.js';
import { openTokens } from './identity/tokens.js';
import { openGuard } from './limits/guard.js';
import { nodeFinding, warnOfNode } from './limits/node-release.js';
import { clearStaleSocket, openListeners } from './listen.js';
import type { Log } from './log.js';
import { createCallMetrics } from './metrics/call-metrics.js';
import { openCollection } from './metrics/collect.js';
import { openMetrics } from './metrics/listen.js';
import type { Reloads } from './reload.js';
import { createServices } from './services.js';
import { Stopping } from './stopping.js';

/** How long calls in flight may take to end when the daemon stops, in milliseconds. */
const graceMs = 10_000;

/** A daemon that serves. */
export interface Daemon {
  /** How many ways in there are. */
  sockets: number;
  /** Settles when the driver has answered a question. */
  answers(): Promise<void>;
  /** Takes no new calls, and lets those in flight end for a while. Networks stay up. */
  stop(): Promise<void>;
  /** Lets go of what is left. */
  close(): Promise<void>;
}

/** What a daemon needs of its process. */
export interface Surroundings {
  log: Log & Leveled;
  /** Puts a line of the audit into the log as it is. */
  say(line: string): void;
  reloads: Reloads;
}

/** Opens everything, or nothing. */
export async function openDaemon(config: Config, surroundings: Surroundings): Promise<Daemon> {
  const { log, reloads } = surroundings;
  const access = await openAccess(config, reloads);
  const opened = await openDriver(config, log);
  try {
    return await serve(config, surroundings, access, opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function serve(config: Config, { log, say, reloads }: Surroundings, access: Awaited<ReturnType<typeof openAccess>>, opened: EmbeddedDriver): Promise<Daemon> {
  const { driver } = opened;
  const { audit, reopen } = openAudit(config.audit, say, { log, which: (handle) => driver.which(handle) });
  reloads.onReload({ name: 'the audit', paths: () => [], reload: async () => reopen() });
  const [connections, stopping, health, callMetrics] = [new Connections(), new Stopping(), new Health(), createCallMetrics()];
  const guard = await openGuard(config.limits, log);
  const node = nodeFinding(process.version, config.tcp.enabled || config.tls.enabled);
  warnOfNode(node, log);
  driver.alsoFound.push(() => node);
  const calls = new Calls({
    authorize: (call) => access.authorize(call), driverFor: (call) => access.guard(driver, call),
    adminFor: (call) => adminFor(call, { connections, access, log }),
    observers: [guard.calls, createCallLog(log), audit, callMetrics], log, stopping,
    identify: createIdentify(await openTokens(config, reloads, log)), limits: guard.calls,
  });
  const collect = openCollection({ connections, guard, driver, journal: () => driver.figures(), kept: callMetrics.metrics });
  const metrics = await openMetrics(config.metrics, collect, clearStaleSocket, log);
  const listeners = await openListeners(config, connections, createServices(calls, connections, { health }), reloads, log, guard)
    .catch(async (error: unknown) => { await metrics?.close(); throw error; });
  health.follow(opened.missing, opened.lacks, log);
  return {
    sockets: listeners.length,
    answers: async () => void await driver.numOfNetworks({}),
    stop: async () => {
      health.stop();
      stopping.begin();
      await Promise.all(listeners.map((listener) => listener.close(graceMs, stopping.idle())));
    },
    close: async () => {
      await metrics?.close();
      await opened.close();
    },
  };
}

async function openDriver(config: Config, log: Log): Promise<EmbeddedDriver> {
  if (config.driver === 'host') return openConfiguredDriver(config, log);
  return { driver: await openTestDriver(), missing: [], lacks: async () => [], close: async () => undefined };
}

/**
 * Lives here: what a daemon serves with, put together: what answers, who is
 * told of it, and the ways in. Does not know: where its driver comes from.
 */
import type { Access } from './access/access.js';
import { adminFor } from './access/admin.js';
import { openAudit } from './access/audit.js';
import { createCallLog } from './call-log.js';
import { Calls } from './calls.js';
import type { Config } from './config.js';
import { Connections } from './connections.js';
import type { Daemon, Surroundings } from './daemon.js';
import type { EmbeddedDriver } from './embed.js';
import { Health } from './health.js';
import { createIdentify } from './identity/identify.js';
import { openTokens } from './identity/tokens.js';
import { openGuard } from './limits/guard.js';
import { nodeFinding, warnOfNode } from './limits/node-release.js';
import { openListeners } from './listen.js';
import { createCallMetrics } from './metrics/call-metrics.js';
import { openCollection } from './metrics/collect.js';
import { openMetrics } from './metrics/listen.js';
import { furnishing } from './services.js';
import { sessionLimitsOf } from './session/limits.js';
import { clearStaleSocket } from './stale-socket.js';
import { Stopping } from './stopping.js';

/** How long calls in flight may take to end when the daemon stops, in milliseconds. */
const graceMs = 10_000;

/** Opens the ways in to a driver. */
export async function serve(config: Config, { log, say, reloads }: Surroundings, access: Access, opened: EmbeddedDriver): Promise<Daemon> {
  const { driver } = opened;
  const { audit, reopen } = openAudit(config.audit, say, { log, which: (handle) => driver.which(handle) });
  reloads.onReload({ name: 'the audit', paths: () => [], reload: async () => reopen() });
  const [connections, stopping, callMetrics] = [new Connections(), new Stopping(), createCallMetrics()];
  const health = new Health();
  const guard = await openGuard(config.limits, log, (turned) => audit.turnedAway(turned));
  const node = nodeFinding(process.version, config.tcp.enabled || config.tls.enabled);
  warnOfNode(node, log);
  driver.alsoFound.push(() => node);
  const calls = new Calls({
    authorize: (call) => access.authorize(call), driverFor: (call) => access.guard(driver, call),
    adminFor: (call) => adminFor(call, { connections, access, log }),
    observers: [guard.calls, createCallLog(log), audit, callMetrics], log, stopping,
    identify: createIdentify(await openTokens(config, reloads, log), (connection) => guard.proofFailed(connection)), limits: guard.calls,
  });
  const collect = openCollection({ connections, guard, driver, figures: () => driver.figures(), kept: callMetrics.metrics });
  const metrics = await openMetrics(config.metrics, collect, clearStaleSocket, log);
  const furnish = furnishing(calls, connections, health, sessionLimitsOf(config.limits), (...told) => guard.note(...told));
  const listeners = await openListeners(config, connections, furnish, reloads, log, guard)
    .catch(async (error: unknown) => { await metrics?.close(); throw error; });
  health.follow(await opened.missing, opened.lacks, log);
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

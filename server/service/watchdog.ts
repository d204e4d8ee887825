/**
 * Lives here: systemd's watchdog (sd_watchdog_enabled(3)): it hears of the
 * daemon only while the daemon answers. Does not know: what answers.
 */
import type { Log } from '../log.js';
import { notifySystemd } from '../notify.js';

/** How often systemd wants to hear, in milliseconds: half of what it waits. Undefined if it does not ask this process. */
export function parseWatchdog(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const microseconds = Number(env['WATCHDOG_USEC']);
  const others = env['WATCHDOG_PID'];
  if (!Number.isSafeInteger(microseconds) || microseconds <= 0 || (others !== undefined && others !== String(pid))) return undefined;
  return Math.max(1, Math.floor(microseconds / 2000));
}

/**
 * Tells systemd at half its time that the daemon is alive, if it asks.
 *
 * @param answers settles when the daemon has answered a question; while it does not, systemd hears nothing and restarts the daemon
 */
export function openWatchdog(env: NodeJS.ProcessEnv, pid: number, answers: () => Promise<void>, log: Log): { close(): void } {
  const everyMs = parseWatchdog(env, pid);
  if (everyMs === undefined) return { close: () => undefined };
  let asking = false;
  const look = async () => {
    if (asking) return log.error({}, 'watchdog: the driver has not answered since the last time: systemd is told nothing');
    asking = true;
    try {
      await answers();
      await notifySystemd('WATCHDOG=1');
    } catch (error) {
      log.error({ err: error }, `watchdog: the driver does not answer: ${(error as Error).message}`);
    } finally {
      asking = false;
    }
  };
  void look();
  const timer = setInterval(() => void look(), everyMs).unref();
  return { close: () => clearInterval(timer) };
}

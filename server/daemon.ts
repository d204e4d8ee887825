/**
 * Lives here: a daemon's start, in the order that brings networks up soonest:
 * who may what, the driver, and while that is at work what it takes to serve.
 * Does not know: the process it runs in, gRPC.
 */
import { openAccess } from './access/access.js';
import type { Leveled } from './access/admin.js';
import type { Config } from './config.js';
import { openTestDriver } from './driver/test-driver.js';
import { openConfiguredDriver, type EmbeddedDriver } from './embed.js';
import type { Log } from './log.js';
import type { Reloads } from './reload.js';

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
  // Loaded when the driver waits for its tools, or is open.
  const loadServing = () => import('./serving.js');
  const opened = await openDriver(config, log, () => void loadServing().catch(() => undefined));
  try {
    const { serve } = await loadServing();
    return await serve(config, surroundings, access, opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** @param atLeisure told when the driver waits for its tools and leaves this process time */
async function openDriver(config: Config, log: Log, atLeisure: () => void): Promise<EmbeddedDriver> {
  if (config.driver === 'host') return openConfiguredDriver(config, log, atLeisure);
  return { driver: await openTestDriver(), missing: Promise.resolve([]), lacks: async () => [], close: async () => undefined };
}

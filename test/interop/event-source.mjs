/**
 * Lives here: a daemon in a process of its own that serves the built driver
 * and writes into its journal as fast as it is told: one JSON object a line
 * on standard input, one answer a line on standard output. Does not know: who
 * watches.
 *
 *     node event-source.mjs ROOT
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const built = (path) => import(new URL(`../../dist/${path}`, import.meta.url).href);
const [{ Calls }, { Connections }, { defaultConfig }, { Journal }, { Register }, { createIdleHost }, { createMemoryStore }, { LocalNetworkDriver }, { openListeners }, { furnishing }, { silentLog }, { Stopping }, { Reloads }] =
  await Promise.all(['server/calls.js', 'server/connections.js', 'server/config.js', 'server/driver/events.js', 'server/driver/register.js', 'server/driver/idle-host.js', 'server/driver/memory-store.js',
    'server/driver/local-driver.js', 'server/listen.js', 'server/services.js', 'server/log.js', 'server/stopping.js', 'server/reload.js'].map(built));

const journal = new Journal();
const driver = new LocalNetworkDriver('test', { register: new Register(), host: createIdleHost(), store: createMemoryStore(), journal, log: silentLog });
const stopping = new Stopping();
const calls = new Calls({ driverFor: () => driver, observers: [], log: silentLog, stopping });
const connections = new Connections();
const config = defaultConfig(process.argv[2]);
const listeners = await openListeners(config, connections, furnishing(calls, connections), new Reloads(config, async () => config, silentLog), silentLog);
let written = 0;

const actions = {
  /** Writes events at a steady pace. */
  async write({ perSecond, seconds }) {
    const began = performance.now();
    for (let due = 0; due < perSecond * seconds;) {
      await delay(5);
      due = Math.min(perSecond * seconds, Math.floor((performance.now() - began) / 1000 * perSecond));
      for (; written < due + (actions.base ?? 0); written += 1) journal.record(5, { name: 'lab', uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a00a' }, { detail: `${written + 1}` });
    }
    actions.base = written;
    return { written, tookMs: performance.now() - began };
  },
  async memory() {
    globalThis.gc?.();
    return { rss: process.memoryUsage.rss(), epoch: journal.epoch };
  },
  async stop() {
    const began = performance.now();
    stopping.begin();
    await Promise.all(listeners.map((listener) => listener.close(10_000, stopping.idle())));
    return { tookMs: performance.now() - began };
  },
};

console.log(JSON.stringify({ uri: listeners[0].uri }));
createInterface({ input: process.stdin }).on('line', async (line) => {
  const { action, ...rest } = JSON.parse(line);
  console.log(JSON.stringify(await actions[action](rest)));
}).on('close', () => process.exit(0));

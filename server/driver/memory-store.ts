/**
 * Lives here: a store that forgets when the process ends, for the test driver.
 */
import type { LiveRecord, PortRecord, SavedDefinition, Store } from './store.js';

/** A new, empty store in memory. */
export function createMemoryStore(): Store {
  const saved = new Map<string, SavedDefinition>();
  const live = new Map<string, LiveRecord>();
  const ports = new Map<string, PortRecord>();
  let autostarted = false;
  return {
    load: async () => ({
      fresh: saved.size === 0, autostarted, saved: [...saved.values()], live: [...live.values()], ports: [...ports.values()], problems: [],
    }),
    async saveDefinition(name, xml) {
      saved.set(name, { name, xml, autostart: saved.get(name)?.autostart ?? false });
    },
    async removeDefinition(name) {
      saved.delete(name);
    },
    async setAutostart(name, autostart) {
      const definition = saved.get(name);
      if (definition !== undefined) saved.set(name, { ...definition, autostart });
    },
    async saveLive(record) {
      live.set(record.uuid, record);
    },
    async removeLive(uuid) {
      live.delete(uuid);
    },
    async savePort(record) {
      ports.set(`${record.network}/${record.uuid}`, record);
    },
    async removePort(network, uuid) {
      ports.delete(`${network}/${uuid}`);
    },
    async markAutostarted() {
      autostarted = true;
    },
  };
}

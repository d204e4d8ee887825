/**
 * Lives here: a store that forgets when the process ends, for the test driver.
 */
import { outOfDate, usualKeep, type Version } from './history.js';
import type { LiveRecord, PortRecord, SavedDefinition, Store } from './store.js';

/** A new, empty store in memory. */
export function createMemoryStore(): Store {
  const saved = new Map<string, SavedDefinition>();
  const earlier = new Map<string, Map<number, Version>>();
  const live = new Map<string, LiveRecord>();
  const ports = new Map<string, PortRecord>();
  let autostarted = false;
  return {
    load: async () => ({
      fresh: saved.size === 0, autostarted, saved: [...saved.values()], live: [...live.values()], ports: [...ports.values()],
    }),
    reject: () => undefined,
    damaged: async () => [],
    async saveDefinition(name, xml, version) {
      if (version !== undefined) keep(name, version.uuid, version.stamp.revision);
      saved.set(name, { name, xml, ...(version === undefined ? {} : { stamp: version.stamp }), autostart: saved.get(name)?.autostart ?? false });
      return undefined;
    },
    history: async (uuid) => [...earlier.get(uuid)?.values() ?? []],
    async removeDefinition(name, uuid) {
      if (uuid !== undefined) keep(name, uuid, Infinity);
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

  /** What is saved goes to the history. */
  function keep(name: string, uuid: string, next: number): void {
    const old = saved.get(name);
    if (old?.stamp === undefined || old.stamp.revision >= next) return;
    const versions = earlier.get(uuid) ?? new Map<number, Version>();
    versions.set(old.stamp.revision, { ...old.stamp, xml: old.xml });
    for (const revision of outOfDate([...versions.keys()], usualKeep)) versions.delete(revision);
    earlier.set(uuid, versions);
  }
}

/**
 * Lives here: the golden cases: one folder each, a network's document beside
 * everything that is rendered from it. Does not know: who compares.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NetworkPlan } from '../../../server/driver/host.js';
import { parseNetwork } from '../../../shared/definition/index.js';

const folder = new URL('golden/', import.meta.url).pathname;

/** A case: its name, its folder, and what its document plans. */
export interface GoldenCase {
  name: string;
  folder: string;
  plan: NetworkPlan;
}

/** All cases. */
export function goldenCases(): GoldenCase[] {
  return readdirSync(folder).sort().map((name) => {
    const { definition } = parseNetwork(readFileSync(join(folder, name, 'network.xml'), 'utf8'));
    const { uuid = '', bridge } = definition;
    return { name, folder: join(folder, name), plan: { uuid, name: definition.name, bridge: bridge?.name ?? '', definition } };
  });
}

/**
 * Lives here: what the driver does when its daemon starts: read what is saved,
 * adopt what stands, undo what was left half-done, define `default` on a new
 * machine, start what starts with the host. Does not know: files, tools.
 */
import { parseNetwork } from '../../shared/definition/index.js';
import { messageOf } from '../../shared/errors.js';
import { subnetsOverlap, subnetOf } from '../../shared/address.js';
import { noteFault, noteRepair } from './health.js';
import type { NetworkPlan, Standing } from './host.js';
import { identify, type IdentifiedDefinition } from './identity.js';
import { settleChange } from './change.js';
import { define, planOf, start, type Estate } from './lifecycle.js';
import { parseSubnet } from './overlap.js';
import { recoverPorts } from './port-revival.js';
import { unknownStamp } from './history.js';
import type { NetworkRecord } from './register.js';
import { lastRevision, saveRevision } from './revisions.js';
import type { LiveRecord, SavedDefinition } from './store.js';

/** The third part of `default`'s subnet, 192.168.N.0/24: the first that is free. */
const defaultSubnets = Array.from({ length: 254 - 122 + 1 }, (_, i) => 122 + i);

/**
 * Brings the estate to where the last daemon left it. One network that cannot
 * be brought back is logged and does not stop the others.
 */
export async function recover(estate: Estate): Promise<void> {
  const { fresh, autostarted, saved, live, ports } = await estate.store.load();
  for (const { path, why } of await estate.store.damaged()) estate.log.error({ path, why }, 'a file of the state folder cannot be read and is left alone');
  // All at the same time: those that came first have their names first, and the disk is waited for together.
  await Promise.all(saved.map((definition) => attempt(estate, definition.name, 'load', () => restore(estate, definition))));
  await adoptAll(estate, live);
  await recoverPorts(estate, ports, live, planOf);
  if (fresh) await attempt(estate, 'default', 'define', () => defineDefault(estate));
  if (!autostarted) {
    await startAll(estate);
    await attempt(estate, '', 'remember the autostart of', () => estate.store.markAutostarted());
  }
}

/** Registers a saved definition; completes one that a person wrote without UUID or MAC. */
async function restore(estate: Estate, saved: SavedDefinition): Promise<void> {
  const { stamp, autostart } = saved;
  const { parsed, definition, record } = register(estate, saved);
  record.saved = definition;
  record.stamp = stamp;
  record.autostart = autostart;
  estate.register.release(record, definition);
  record.stamp ??= unknownStamp(await lastRevision(estate, definition.uuid) + 1);
  if (definition.uuid !== parsed.uuid || definition.mac !== parsed.mac) {
    await saveRevision(estate, record, definition, 'define');
  }
}

/** Reads a saved definition and claims its name and UUID. One that cannot be used is left aside. */
function register({ register: networks, store }: Estate, { name, xml }: SavedDefinition) {
  try {
    const { definition: parsed } = parseNetwork(xml, { validate: false });
    if (parsed.name !== name) throw new Error(`its file is named ${name}.xml but the network in it is named '${parsed.name}'`);
    const definition = identify(parsed);
    return { parsed, definition, record: networks.claim(name, definition.uuid, definition) };
  } catch (error) {
    store.reject(name, messageOf(error));
    throw error;
  }
}

/** Takes over the networks that stand. The host is asked once for all of them. */
async function adoptAll(estate: Estate, live: LiveRecord[]): Promise<void> {
  const known: { record: LiveRecord; definition: IdentifiedDefinition }[] = [];
  for (const record of live) {
    await attempt(estate, record.name, 'adopt', async () => {
      known.push({ record, definition: parseNetwork(record.xml, { validate: false }).definition as IdentifiedDefinition });
    });
  }
  if (known.length === 0) return;
  const { standing } = await estate.host.observe(known.map(({ definition }) => planOf(definition)));
  await Promise.all(known.map(({ record, definition }, index) =>
    attempt(estate, record.name, 'adopt', () => adopt(estate, record, definition, standing[index]))));
}

function isSaved({ register }: Estate, { uuid }: LiveRecord): boolean {
  return register.list().some((record) => record.uuid === uuid && record.saved !== undefined);
}

/** Takes over one network, or undoes what a daemon that was killed left of it. */
async function adopt(estate: Estate, left: LiveRecord, definition: IdentifiedDefinition, found: Standing | undefined): Promise<void> {
  const plan = planOf(definition);
  const record = await settleChange(estate, left, plan.bridge === '' || found?.bridge === true);
  const standing = record === left ? found : (await estate.host.observe([plan])).standing[0];
  // Where a network has no bridge of its own, there is none that could be gone.
  if (record.state !== 'running' || (plan.bridge !== '' && !standing?.bridge)) {
    await estate.host.tearDown(plan, { forget: !isSaved(estate, record) });
    await estate.store.removeLive(record.uuid);
    estate.log.warn({ network: record.name, state: record.state }, 'network was left half-done or its bridge is gone: undone');
    return;
  }
  const known = estate.register.claim(definition.name, definition.uuid, definition);
  known.live = definition;
  estate.register.release(known, definition);
  if (standing !== undefined && (!standing.dnsmasq || !standing.firewall)) {
    await refresh(estate, known, plan, standing);
    estate.log.warn({ network: record.name, standing }, 'network adopted and repaired');
  } else {
    estate.log.info({ network: record.name }, 'network adopted');
  }
}

/** Makes good what is missing of a network that was taken over. */
async function refresh(estate: Estate, record: NetworkRecord, plan: NetworkPlan, standing: Standing): Promise<void> {
  const missing = ([['firewall', 'firewall rules'], ['dnsmasq', 'dnsmasq']] as const).filter(([part]) => !standing[part]);
  try {
    await estate.host.refresh(plan, standing);
  } catch (error) {
    for (const [part, what] of missing) noteFault(estate, record, part, `${what} missing when vnetd started, and not to be put back: ${messageOf(error)}`);
    throw error;
  }
  for (const [part, what] of missing) noteRepair(estate, record, part, what);
}

/** Defines the network every new host has. */
async function defineDefault(estate: Estate): Promise<void> {
  const { routes } = await estate.host.observe([]);
  const taken = routes.map(({ subnet }) => parseSubnet(subnet));
  const third = defaultSubnets.find((n) => !taken.some((other) => subnetsOverlap(other, subnetOf(`192.168.${n}.0`, 24))));
  if (third === undefined) throw new Error('no subnet from 192.168.122.0/24 to 192.168.254.0/24 is free on this host');
  await define(estate, defaultXml(third), true);
  const subnet = `192.168.${third}.0/24`;
  estate.log.info({ network: 'default', subnet }, third === defaultSubnets[0]
    ? 'network default defined' : 'network default defined on the next free subnet: 192.168.122.0/24 is taken on this host');
}

/** Starts every network that starts with the host, all at the same time: the host does together what it can. */
async function startAll(estate: Estate): Promise<void> {
  const waiting = estate.register.list().filter((record) => record.autostart && record.live === undefined);
  await Promise.all(waiting.map((record) => attempt(estate, record.name, 'autostart', async () => {
    try {
      await start(estate, record);
    } catch (error) {
      record.health.judge('start', `it could not be started with the host: ${messageOf(error)}`);
      throw error;
    }
  })));
}

/** Does one thing for one network and logs its failure. */
async function attempt(estate: Estate, network: string, what: string, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    estate.log.error({ network, err: error }, `cannot ${what} network`);
  }
}

function defaultXml(third: number): string {
  return `<network>
  <name>default</name>
  <forward mode='nat'/>
  <ip address='192.168.${third}.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.${third}.2' end='192.168.${third}.254'/></dhcp>
  </ip>
</network>`;
}

/**
 * Lives here: the host forwards packets while a network needs it, and is as it
 * was before once none does. What it was is kept in a file, so that a later
 * daemon knows it too. Does not know: which networks there are.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Family } from '../../shared/address.js';
import { familyOfIp, networkMode } from '../../shared/definition/index.js';
import type { NetworkPlan } from '../driver/host.js';
import { removeFile, replaceFile } from '../files.js';
import type { Log } from '../log.js';
import type { Commands } from './command.js';
import { reliesOnForwarding } from './foreign/chains.js';
import { readForeignChains } from './foreign/read.js';
import { readAutoconfInterfaces, readDefaultRoutes } from './proc.js';
import { readSysctl, setSysctl } from './sysctl.js';
import { openTurns } from './turns.js';

/** The host's forwarding. */
export interface Forwarding {
  /**
   * From now on a network needs what its plan says, and no more than that.
   *
   * @throws {NetworkError} SYSTEM_ERROR if a setting cannot be written
   */
  hold(plan: NetworkPlan): Promise<void>;
  /** A network that stands needs it; an earlier daemon has seen to that. */
  adopt(plan: NetworkPlan): void;
  /** A network is gone. */
  release(plan: NetworkPlan): void;
  /**
   * Turns on again what another program turned off though networks need it.
   *
   * @returns the networks that needed it, by UUID
   * @throws {NetworkError} SYSTEM_ERROR if a setting cannot be written
   */
  restore(): Promise<string[]>;
  /** Puts the settings back that no network needs any more. */
  tidy(): Promise<void>;
}

const families = ['ipv4', 'ipv6'] as const;

/** The setting that lets all interfaces forward. */
const switches = { ipv4: 'ipv4/ip_forward', ipv6: 'ipv6/conf/all/forwarding' } as const;

/** What was set, by key, before we set it. */
interface Before {
  /** What the kernel changes along with the switch, to be written again after it. */
  along: Record<string, string>;
  /** The interfaces' accept_ra: each was made 2 before the switch. */
  acceptRa: Record<string, string>;
}

/** The families that the host must forward for a network. */
export function forwardedFamilies({ definition }: NetworkPlan): Family[] {
  if (networkMode(definition) === 'none') return [];
  return families.filter((family) => definition.ips.some((ip) => familyOfIp(ip) === family));
}

/** Opens it with what an earlier daemon has left in the folder. */
export async function openForwarding(runFolder: string, commands: Commands, log: Log): Promise<Forwarding> {
  const file = join(runFolder, 'forwarding.json');
  const text = await readFile(file, 'utf8').catch(() => '{}');
  return new HostForwarding(file, parseBefore(text), commands, log);
}

/** Reads the file; what is no setting of ours is not taken. */
function parseBefore(text: string): Partial<Record<Family, Before>> {
  const good = ([key, value]: [string, unknown]) => /^ipv[46](\/[^/\0]+){1,3}$/.test(key) && !key.includes('/..') && /^\d$/.test(String(value));
  const settings = (part: unknown) => Object.fromEntries(Object.entries((part ?? {}) as Record<string, string>).filter(good));
  try {
    const found = JSON.parse(text) as Partial<Record<Family, Before>>;
    return Object.fromEntries(families.filter((family) => found[family] !== undefined)
      .map((family) => [family, { along: settings(found[family]?.along), acceptRa: settings(found[family]?.acceptRa) }]));
  } catch {
    return {};
  }
}

class HostForwarding implements Forwarding {
  private readonly users = { ipv4: new Set<string>(), ipv6: new Set<string>() };
  /** A hundred networks may come and go at once: one change after another. */
  private readonly serial = openTurns();

  constructor(
    private readonly file: string, private readonly before: Partial<Record<Family, Before>>, private readonly commands: Commands, private readonly log: Log,
  ) {}

  async hold(plan: NetworkPlan): Promise<void> {
    this.adopt(plan);
    const needed = forwardedFamilies(plan);
    for (const family of needed) await this.serial(() => this.turnOn(family));
    for (const family of families) if (!needed.includes(family)) this.users[family].delete(plan.uuid);
  }

  adopt(plan: NetworkPlan): void {
    for (const family of forwardedFamilies(plan)) this.users[family].add(plan.uuid);
  }

  release({ uuid }: NetworkPlan): void {
    for (const family of families) this.users[family].delete(uuid);
  }

  async restore(): Promise<string[]> {
    const needing = new Set<string>();
    for (const family of families) {
      const users = [...this.users[family]];
      if (users.length === 0 || await readSysctl(switches[family]) !== '0') continue;
      await this.serial(() => this.turnOn(family));
      for (const uuid of users) needing.add(uuid);
    }
    return [...needing];
  }

  async tidy(): Promise<void> {
    for (const family of families) if (this.before[family] !== undefined) await this.serial(() => this.putBack(family));
  }

  private async turnOn(family: Family): Promise<void> {
    if (await readSysctl(switches[family]) === '1') return;
    // Turned off by another while networks were up: what was before is still what was before.
    this.before[family] ??= await lookBefore(family);
    const { acceptRa } = this.before[family];
    await this.save();
    // The kernel drops the routes of router advertisements at the switch, but for interfaces that have 2 by then.
    for (const key of Object.keys(acceptRa)) await setSysctl(key, '2');
    await setSysctl(switches[family], '1');
    this.log.info({ family, acceptRa: Object.keys(acceptRa) }, 'forwarding turned on until the last network that needs it stops');
  }

  private async putBack(family: Family): Promise<void> {
    const before = this.before[family];
    // A network may have come while this waited.
    if (before === undefined || this.users[family].size > 0) return;
    if (await readSysctl(switches[family]) === '1' && reliesOnForwarding(await readForeignChains(this.commands), family)) {
      this.log.warn({ family }, 'forwarding stays on though no network needs it any more: another program has rules for forwarded packets');
    } else {
      // It may be off: another program did that, or a daemon that was killed half-way.
      await setSysctl(switches[family], '0');
      for (const [key, value] of Object.entries(before.along)) await setSysctl(key, value);
      for (const [key, value] of Object.entries(before.acceptRa)) if (await readSysctl(key) === '2') await setSysctl(key, value);
      this.log.info({ family }, 'forwarding is as it was: no network needs it any more');
    }
    delete this.before[family];
    try {
      await this.save();
    } catch (error) {
      // A later daemon would read that there is something to put back: this one tries again.
      this.before[family] = before;
      throw error;
    }
  }

  private async save(): Promise<void> {
    if (Object.keys(this.before).length === 0) await removeFile(this.file);
    else await replaceFile(this.file, `${JSON.stringify(this.before)}\n`, 0o600);
  }
}

/** What the switch would change. It is off. */
async function lookBefore(family: Family): Promise<Before> {
  const interfaces = await readdir(`/proc/sys/net/${family}/conf`).catch(() => []);
  // Interfaces may forward each for itself; and with IPv4, the kernel takes redirects of hosts and none of routers.
  const forwards = interfaces.filter((name) => name !== 'all').map((name) => `${family}/conf/${name}/forwarding`);
  const keys = family === 'ipv4' ? ['ipv4/conf/all/accept_redirects', ...forwards] : forwards;
  const values = await Promise.all(keys.map(async (key) => [key, await readSysctl(key)] as const));
  return {
    along: Object.fromEntries(values.filter(([key, value]) => value === '1' || (value === '0' && key.endsWith('accept_redirects')))),
    acceptRa: family === 'ipv6' ? await listeners() : {},
  };
}

/** The interfaces by which the host listens to routers: those that have routes from them, and that of its default route. */
async function listeners(): Promise<Record<string, string>> {
  const names = new Set([...await readAutoconfInterfaces(), ...(await readDefaultRoutes()).map((route) => route.interface)]);
  const values = await Promise.all([...names].map(async (name) => [`ipv6/conf/${name}/accept_ra`, await readSysctl(`ipv6/conf/${name}/accept_ra`)] as const));
  return Object.fromEntries(values.filter(([, value]) => value === '1'));
}

/**
 * Lives here: the place that firewalld offers: a zone for each bridge, which
 * says what guests may ask of the host and lets them be forwarded. Does not
 * know: what a network permits.
 */
import { access } from 'node:fs/promises';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { isManaged, networkMode } from '../../../shared/definition/index.js';
import type { NetworkPlan } from '../../driver/host.js';
import { CommandError, type Commands } from '../command.js';
import { openGathering } from '../gather.js';
import { safeInterface } from '../safe-text.js';
import type { Neighbour } from './neighbour.js';

/** How long firewalld's zones are taken to be what they were, in milliseconds: to ask takes half a second. */
const zonesGoodMs = 10_000;

/** Where the system's bus is; without it firewalld cannot be there, and to ask would take long for nothing. */
const busSocket = '/run/dbus/system_bus_socket';

/** The zones for networks that name none, the best first. */
const usual = { route: ['vnet', 'libvirt-routed', 'libvirt', 'trusted'], other: ['vnet', 'libvirt', 'trusted'] } as const;

/** Opens firewalld's place. */
export function openFirewalld(commands: Commands): Neighbour {
  return new Firewalld(commands);
}

class Firewalld implements Neighbour {
  readonly concerns = /\bfirewalld\b/;
  private known: { zones: Promise<Set<string> | undefined>; untilMs: number } | undefined;
  private readonly applying = openGathering<NetworkPlan>((plans) => this.put(plans));
  private readonly removing = openGathering<NetworkPlan>((plans) => this.takeOut(plans));

  constructor(private readonly commands: Commands) {}

  async apply(plans: readonly NetworkPlan[]): Promise<void> {
    await Promise.all(plans.filter(wantsZone).map((plan) => this.applying.add(plan)));
  }

  async remove(plan: NetworkPlan): Promise<void> {
    if (wantsZone(plan)) await this.removing.add(plan);
  }

  /** Read from its rules: to ask firewalld takes half a second. Where it has none, it is not running. */
  async present(plans: readonly NetworkPlan[]): Promise<boolean[]> {
    if (!plans.some(wantsZone) || !await access(busSocket).then(() => true, () => false)) return plans.map(() => true);
    const rules = await this.commands.read('nft', ['list', 'chain', 'inet', 'firewalld', 'filter_INPUT_ZONES']).catch(() => undefined);
    const present = plans.map((plan) => rules === undefined || !wantsZone(plan) || rules.includes(`"${plan.bridge}"`));
    // Started since it was last asked, perhaps with other zones.
    if (present.includes(false)) this.known = undefined;
    return present;
  }

  async lookEveryMs(): Promise<undefined> {
    return undefined;
  }

  private async put(plans: readonly NetworkPlan[]): Promise<void> {
    for (const [zone, bridges] of grouped(plans, await this.chooser())) {
      try {
        await this.commands.run('firewall-cmd', [`--zone=${zone}`, ...bridges.map((bridge) => `--change-interface=${bridge}`)]);
      } catch (error) {
        this.known = undefined;
        // It may have ended since it was asked for its zones. Who asked for one is told so.
        if (grouped(plans, await this.chooser()).size > 0) throw error;
      }
    }
  }

  private async chooser(): Promise<(plan: NetworkPlan) => string | undefined> {
    const zones = await this.zones();
    return (plan) => zoneFor(plan, zones);
  }

  private async takeOut(plans: readonly NetworkPlan[]): Promise<void> {
    const zones = await this.zones();
    if (zones === undefined) return;
    for (const [zone, bridges] of grouped(plans, (plan) => zoneOf(plan, zones))) {
      await this.commands.run('firewall-cmd', [`--zone=${zone}`, ...bridges.map((bridge) => `--remove-interface=${bridge}`)]).catch((error: unknown) => {
        // It has ended since, and its zones with it.
        this.known = undefined;
        if (!(error instanceof CommandError && /not running|INVALID_ZONE|DBUS_ERROR/i.test(error.words))) throw error;
      });
    }
  }

  /** The zones of firewalld; undefined if it does not run. */
  private zones(): Promise<Set<string> | undefined> {
    if (this.known === undefined || performance.now() > this.known.untilMs) {
      const zones = access(busSocket).then(() => this.commands.read('firewall-cmd', ['--get-zones']))
        .then((text) => new Set(text.trim().split(/\s+/)), () => undefined);
      this.known = { zones, untilMs: performance.now() + zonesGoodMs };
    }
    return this.known.zones;
  }
}

/** Whether a network has a zone where firewalld runs: with forward mode open, only if it names one. */
function wantsZone({ definition }: NetworkPlan): boolean {
  return isManaged(definition) && (definition.bridge?.zone !== undefined || networkMode(definition) !== 'open');
}

/** The zone for a network; undefined if there is none of the usual ones. */
function zoneOf({ definition }: NetworkPlan, zones: ReadonlySet<string>): string | undefined {
  return definition.bridge?.zone ?? usual[networkMode(definition) === 'route' ? 'route' : 'other'].find((zone) => zones.has(zone));
}

/**
 * The zone that a network is to be put into; undefined if firewalld does not
 * run and none is asked for.
 *
 * @throws {NetworkError} INTERNAL_ERROR, as libvirt, if a zone is asked for
 * that cannot be had
 */
export function zoneFor(plan: NetworkPlan, zones: ReadonlySet<string> | undefined): string | undefined {
  const asked = plan.definition.bridge?.zone;
  if (zones === undefined) {
    if (asked === undefined) return undefined;
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, `zone ${asked} requested for network ${plan.name} but firewalld is not active`, {
      hint: 'start it with: systemctl start firewalld; or take bridge/@zone out of the definition',
    });
  }
  if (asked !== undefined && !zones.has(asked)) {
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, `zone ${asked} requested for network ${plan.name} is none of firewalld's`, {
      hint: 'see its zones with: firewall-cmd --get-zones',
    });
  }
  return zoneOf(plan, zones);
}

/** The bridges of networks by zone; those without are left out. */
function grouped(plans: readonly NetworkPlan[], zone: (plan: NetworkPlan) => string | undefined): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const plan of plans) {
    const name = zone(plan);
    if (name !== undefined) found.set(name, [...found.get(name) ?? [], safeInterface(plan.bridge)]);
  }
  return found;
}

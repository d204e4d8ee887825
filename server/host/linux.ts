/**
 * Lives here: the Linux host: the order of the steps that make a network stand
 * and take it away, and the way back. Does not know: what a network is called,
 * which are saved, who asked; what a step does in detail.
 *
 * A bridge is set up after its rules and removed before them: whoever is plugged
 * into it, and however early, meets it with its rules.
 */
import { join } from 'node:path';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { familyOfIp, isManaged, networkMode } from '../../shared/definition/index.js';
import type { Host, HostLease, HostReport, NetworkPlan, Observation, Standing } from '../driver/host.js';
import type { Log } from '../log.js';
import { openChecksums } from './checksums.js';
import { openCommands, type Commands, type Tool } from './command.js';
import { openDnsmasq, type Dnsmasq, type Rendered } from './dnsmasq.js';
import { policyOf } from './firewall/policy.js';
import { chooseFirewall, type FirewallChoice } from './firewall/choose.js';
import type { Firewall } from './firewall/firewall.js';
import { openWatch, type Watch } from './firewall/watch.js';
import { ownBridges, raiseBridge, refuseTakenName, removeBridge, requireHostBridge, silenceIpv6 } from './link.js';
import { readInterfaces, readRoutes } from './proc.js';
import { probeLinux } from './probe.js';
import { openProxy, type Proxy } from './proxy.js';
import { safeInterface } from './safe-text.js';
import { refuseUnsupported } from './support.js';
import { enableForwarding, refuseRouteLoss } from './sysctl.js';
import { openTraffic, type Traffic } from './traffic.js';
import { openWayBack, together, type WayBack } from './undo.js';

/** Where the Linux host keeps its files, and what it runs. */
export interface LinuxHostOptions {
  /** What outlives a boot but can be lost; dnsmasq's account must be able to pass it. */
  varFolder: string;
  /** What a boot clears. */
  runFolder: string;
  /** The account dnsmasq runs as; empty for `dnsmasq` or `nobody`. */
  dnsmasqUser: string;
  /** Where upstream name servers are read from. */
  resolvConf: string;
  /** Who guards networks; `auto` unless given. */
  firewall?: FirewallChoice;
  log: Log;
  /** Absolute paths of programs that are not to be searched for. */
  toolPaths?: Partial<Record<Tool, string>>;
  /** Another door to programs, for tests. */
  commands?: Commands;
}

/** Opens the Linux host in the network namespace of this process. Networks that stand are left alone. */
export async function openLinuxHost(options: LinuxHostOptions): Promise<Host> {
  const { varFolder, runFolder, resolvConf, log, commands = openCommands(options.toolPaths) } = options;
  const dnsmasq = await openDnsmasq({ varFolder, runFolder, resolvConf, user: options.dnsmasqUser, commands, log });
  try {
    const checksums = openChecksums(commands, log);
    const firewall = checksums.beside(await chooseFirewall(options.firewall ?? 'auto', commands));
    const proxy = openProxy({ commands, log, memory: join(runFolder, 'proxy.json'), leases: (plan) => dnsmasq.leases(plan) });
    return new LinuxHost(commands, firewall, openWatch(firewall, commands, log), dnsmasq, openTraffic(commands, checksums), proxy, log);
  } catch (error) {
    dnsmasq.close();
    throw error;
  }
}

class LinuxHost implements Host {
  constructor(
    private readonly commands: Commands,
    private readonly firewall: Firewall,
    private readonly watch: Watch,
    private readonly dnsmasq: Dnsmasq,
    private readonly traffic: Traffic,
    private readonly proxy: Proxy,
    private readonly log: Log,
  ) {}

  probe(): Promise<HostReport> {
    return probeLinux(this.commands, this.firewall);
  }

  async bringUp(plan: NetworkPlan): Promise<void> {
    refuseUnsupported(plan);
    if (!isManaged(plan.definition)) return requireHostBridge(this.commands, plan);
    safeInterface(plan.bridge);
    const rendered = this.dnsmasq.render(plan);
    const families = forwardedFamilies(plan);
    await together(
      refuseTakenName(plan),
      this.commands.require('ip'),
      policyOf(plan) && this.firewall.require(),
      rendered && this.commands.require('dnsmasq'),
      this.traffic.require(plan),
      families.ipv6 ? refuseRouteLoss() : undefined,
    );
    const back = openWayBack(this.log);
    try {
      back.push('firewall', () => this.firewall.remove(plan));
      const guarded = this.firewall.apply([plan]);
      await together(guarded, this.serve(plan, rendered, guarded, back), enableForwarding(families));
    } catch (error) {
      await back.go();
      throw error;
    }
    this.watch.guard(plan);
  }

  /** The bridge, and on it DHCP and DNS, and what tc does there. */
  private async serve(plan: NetworkPlan, rendered: Rendered | undefined, guarded: Promise<void>, back: WayBack): Promise<void> {
    back.push('bridge', () => removeBridge(this.commands, plan));
    back.push('dnsmasq', () => this.dnsmasq.stop(plan, { forget: false }));
    await together(raiseBridge(this.commands, plan, guarded), rendered && this.dnsmasq.write(plan, rendered));
    back.push('traffic', () => this.traffic.remove(plan));
    back.push('proxy', () => this.proxy.remove(plan));
    await together(rendered && this.dnsmasq.start(plan), silenceIpv6(plan), this.traffic.apply(plan), this.proxy.apply(plan));
  }

  async tearDown(plan: NetworkPlan, options: { forget: boolean }): Promise<void> {
    if (!isManaged(plan.definition)) return;
    const steps = [this.dnsmasq.stop(plan, options), this.removeGuarded(plan), this.traffic.remove(plan), this.proxy.remove(plan)];
    const results = await Promise.allSettled(steps);
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (failures.length === 0) return;
    const words = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)));
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, `network '${plan.name}' could not be taken down in full: ${words.join('; ')}`, {
      cause: failures.length === 1 ? failures[0] : new AggregateError(failures),
    });
  }

  /** As long as there is a bridge that guests may be on, it has its rules. */
  private async removeGuarded(plan: NetworkPlan): Promise<void> {
    await removeBridge(this.commands, plan);
    this.watch.release(plan);
    await this.firewall.remove(plan);
  }

  leases(plan: NetworkPlan): Promise<HostLease[]> {
    return this.dnsmasq.leases(plan);
  }

  async observe(plans: NetworkPlan[]): Promise<Observation> {
    const [interfaces, routes, standing] = await Promise.all([readInterfaces(), readRoutes(), this.standing(plans)]);
    return { interfaces, routes, standing };
  }

  private async standing(plans: NetworkPlan[]): Promise<Standing[]> {
    const managed = plans.filter(({ definition }) => isManaged(definition));
    const standing = await this.standingOf(managed);
    // Of one that hangs on a bridge of somebody else's, nothing is ours and nothing is needed.
    return plans.map((plan) => standing[managed.indexOf(plan)] ?? { bridge: false, dnsmasq: true, firewall: true });
  }

  /** What stands of networks that vnet builds. */
  private async standingOf(plans: NetworkPlan[]): Promise<Standing[]> {
    if (plans.length === 0) return [];
    const [bridges, firewalls, processes] = await Promise.all([
      ownBridges(this.commands, plans), this.firewall.present(plans), Promise.all(plans.map((plan) => this.dnsmasq.runs(plan))),
    ]);
    return plans.map((plan, index) => {
      const standing = { bridge: bridges[index]!, dnsmasq: processes[index]!, firewall: firewalls[index]! };
      // Nothing more is asked of the host for a network that stands in full: it is guarded from here on.
      if (standing.bridge && standing.firewall) this.watch.guard(plan);
      if (standing.bridge) {
        this.traffic.adopt(plan);
        this.proxy.adopt(plan);
      }
      return standing;
    });
  }

  async refresh(plan: NetworkPlan, standing: Standing): Promise<void> {
    const rendered = this.dnsmasq.render(plan);
    await together(
      standing.firewall ? undefined : this.firewall.apply([plan]),
      standing.dnsmasq ? undefined : rendered && this.dnsmasq.write(plan, rendered).then(() => this.dnsmasq.start(plan)),
    );
    this.watch.guard(plan);
  }

  update: Host['update'] = () => notYet();

  preview: Host['preview'] = () => notYet();

  pool: Host['pool'] = () => notYet();

  attach: Host['attach'] = () => notYet();

  detach: Host['detach'] = () => notYet();

  reshape: Host['reshape'] = () => notYet();

  releaseLease: Host['releaseLease'] = () => notYet();

  diagnose: Host['diagnose'] = () => notYet();

  nextEvents: Host['nextEvents'] = async () => [];

  async close(): Promise<void> {
    await Promise.all([this.watch.close(), this.proxy.close()]);
    this.dnsmasq.close();
  }
}

function notYet(): never {
  throw new NetworkError(ErrorCode.NO_SUPPORT, 'not yet');
}

/** The families that the host must forward for a network. */
function forwardedFamilies({ definition }: NetworkPlan): { ipv4: boolean; ipv6: boolean } {
  const forwards = networkMode(definition) !== 'none';
  const has = (family: 'ipv4' | 'ipv6') => forwards && definition.ips.some((ip) => familyOfIp(ip) === family);
  return { ipv4: has('ipv4'), ipv6: has('ipv6') };
}

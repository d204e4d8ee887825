/**
 * Lives here: the Linux host: the order of the steps that make a network stand
 * and take it away, and the way back. Does not know: what a network is called,
 * which are saved, who asked; what a step does in detail.
 *
 * A bridge is set up after its rules and removed before them: whoever is plugged
 * into it, and however early, meets it with its rules.
 */
import { join } from 'node:path';
import { ErrorCode, messageOf, NetworkError } from '../../shared/errors.js';
import { isManaged } from '../../shared/definition/index.js';
import type { Host, HostLease, HostReport, NetworkPlan, Observation, Standing } from '../driver/host.js';
import type { Log } from '../log.js';
import { openAftercare, type Aftercare } from './aftercare.js';
import { openBridges, refuseTakenName, type Bridges } from './bridges.js';
import { openChecksums, type Checksums } from './checksums.js';
import { openCommands, type Commands, type Tool } from './command.js';
import { diagnose } from './doctor/diagnose.js';
import type { Patient } from './doctor/read.js';
import { openDnsmasq, type Dnsmasq, type Rendered } from './dnsmasq.js';
import { openHostEvents, type HostEvents } from './events.js';
import { policyOf } from './firewall/policy.js';
import { chooseFirewall, type FirewallChoice } from './firewall/choose.js';
import type { Firewall } from './firewall/firewall.js';
import { openWatch, type Watch } from './firewall/watch.js';
import { openDocker } from './foreign/docker.js';
import { openFirewalld } from './foreign/firewalld.js';
import { besideNeighbours } from './foreign/neighbour.js';
import { openWarnings, type Warnings } from './foreign/warnings.js';
import { openForwarding, type Forwarding } from './forwarding.js';
import { openShared } from './gather.js';
import { requireLan } from './lan.js';
import { ownBridges, silenceIpv6 } from './link.js';
import { openLinkWatch, type LinkWatch } from './link-watch.js';
import { openPorts, type Ports } from './port.js';
import { readInterfaces, readRoutes } from './proc.js';
import { probeLinux } from './probe.js';
import { openProxy, type Proxy } from './proxy.js';
import { safeInterface } from './safe-text.js';
import { refuseUnsupported } from './support.js';
import { openTraffic, type Traffic } from './traffic.js';
import { openWayBack, together, type WayBack } from './undo.js';
import { previewNetwork, updateNetwork } from './update/update.js';

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
  /** Let networks pass in other programs' firewalls that have a place for it (Docker's DOCKER-USER); not unless given. */
  acceptInForeign?: boolean;
  /**
   * How long what networks share outlives the last one that needs it, in
   * milliseconds; two seconds unless given. 0: it goes with it.
   */
  lingerMs?: number;
  /** Where sysfs is; /sys unless given. */
  sysFolder?: string;
  log: Log;
  /** Absolute paths of programs that are not to be searched for. */
  toolPaths?: Partial<Record<Tool, string>>;
  /** Another door to programs, for tests. */
  commands?: Commands;
  /** Told when programs are at work for a while and this process has little to do. */
  atLeisure?: (() => void) | undefined;
}

/** What the host is made of. */
interface Parts {
  commands: Commands;
  firewall: Firewall;
  watch: Watch;
  links: LinkWatch;
  events: HostEvents;
  warnings: Warnings;
  forwarding: Forwarding;
  checksums: Checksums;
  bridges: Bridges;
  dnsmasq: Dnsmasq;
  traffic: Traffic;
  proxy: Proxy;
  ports: Ports;
  patient: Omit<Patient, 'standing' | 'lacks'>;
  sysFolder: string;
  log: Log;
}

/** Opens the Linux host in the network namespace of this process. Networks that stand are left alone. */
export async function openLinuxHost(options: LinuxHostOptions): Promise<Host> {
  const { varFolder, runFolder, resolvConf, log, lingerMs = 2000, sysFolder = '/sys', commands = openCommands(options.toolPaths) } = options;
  const events = openHostEvents();
  const dnsmasq = await openDnsmasq({ varFolder, runFolder, resolvConf, user: options.dnsmasqUser, commands, log, tell: events.tell, atLeisure: options.atLeisure });
  try {
    const accept = options.acceptInForeign === true;
    const checksums = openChecksums(commands, join(runFolder, 'checksums'), log);
    const chosen = checksums.beside(await chooseFirewall(options.firewall ?? 'auto', commands));
    const firewall = besideNeighbours(chosen, [openFirewalld(commands), openDocker(commands, accept)]);
    const watch = openWatch(firewall, commands, log, events.tell);
    const forwarding = await openForwarding(runFolder, commands, log);
    return new LinuxHost({
      commands, firewall, watch, events, checksums, dnsmasq, forwarding, sysFolder, log,
      links: openLinkWatch({ commands, tell: events.tell, log, restoreForwarding: () => forwarding.restore() }),
      warnings: openWarnings(commands, log, ['firewalld', ...(accept ? ['Docker'] : [])]),
      bridges: openBridges(commands),
      traffic: openTraffic(commands, checksums),
      proxy: openProxy({ commands, log, memory: join(runFolder, 'proxy.json'), leases: (plan) => dnsmasq.leases(plan) }),
      ports: openPorts(commands, log, sysFolder),
      patient: { commands, tools: ['ip', 'ss', ...firewall.tools, 'dnsmasq', 'tc'], dnsmasqFolder: join(varFolder, 'dnsmasq'), dnsmasqUser: options.dnsmasqUser },
    }, lingerMs);
  } catch (error) {
    dnsmasq.close();
    throw error;
  }
}

class LinuxHost implements Host {
  /** Read once for the many networks that start together: the more there are, the longer it takes. */
  private readonly surroundings = openShared(() => Promise.all([readInterfaces(), readRoutes()]));

  private readonly aftercare: Aftercare;
  private observed = false;

  constructor(private readonly parts: Parts, lingerMs: number) {
    const { firewall, forwarding, checksums, log } = parts;
    this.aftercare = openAftercare(() => together(firewall.tidy(), forwarding.tidy(), checksums.tidy()), lingerMs, log);
  }

  probe(): Promise<HostReport> {
    return probeLinux(this.parts.commands, this.parts.firewall);
  }

  async bringUp(plan: NetworkPlan): Promise<void> {
    const { commands, firewall, forwarding, dnsmasq, traffic, watch, links, warnings, sysFolder, log } = this.parts;
    refuseUnsupported(plan);
    if (!isManaged(plan.definition)) return requireLan(commands, plan, sysFolder);
    safeInterface(plan.bridge);
    const rendered = dnsmasq.render(plan);
    await together(
      refuseTakenName(plan),
      commands.require('ip'),
      policyOf(plan) && firewall.require(),
      rendered && commands.require('dnsmasq'),
      traffic.require(plan),
    );
    const back = openWayBack(log);
    try {
      back.push('firewall', () => firewall.remove(plan));
      back.push('forwarding', async () => forwarding.release(plan));
      const guarded = firewall.apply([plan]);
      await together(guarded, this.serve(plan, rendered, guarded, back), forwarding.hold(plan));
    } catch (error) {
      await back.go();
      await this.aftercare.now();
      throw error;
    }
    watch.guard(plan);
    links.guard(plan);
    warnings.started(plan);
  }

  /** The bridge, once it is guarded, and on it DHCP and DNS, and what tc does there. */
  private async serve(plan: NetworkPlan, rendered: Rendered | undefined, guarded: Promise<void>, back: WayBack): Promise<void> {
    const { bridges, dnsmasq, traffic, proxy } = this.parts;
    back.push('bridge', () => bridges.remove(plan));
    back.push('dnsmasq', () => dnsmasq.stop(plan, { forget: false }));
    await together(guarded.then(() => bridges.raise(plan)), rendered && dnsmasq.write(plan, rendered));
    back.push('traffic', () => traffic.remove(plan));
    back.push('proxy', () => proxy.remove(plan));
    await together(rendered && dnsmasq.start(plan), silenceIpv6(plan), traffic.apply(plan), proxy.apply(plan));
  }

  async tearDown(plan: NetworkPlan, options: { forget: boolean }): Promise<void> {
    const { dnsmasq, traffic, proxy, forwarding, links } = this.parts;
    if (!isManaged(plan.definition)) return;
    await links.release(plan);
    forwarding.release(plan);
    const steps = [dnsmasq.stop(plan, options), this.removeGuarded(plan), traffic.remove(plan), proxy.remove(plan)];
    const results = [...await Promise.allSettled(steps), ...await Promise.allSettled([this.aftercare.due()])];
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (failures.length === 0) return;
    const words = failures.map(messageOf);
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, `network '${plan.name}' could not be taken down in full: ${words.join('; ')}`, {
      cause: failures.length === 1 ? failures[0] : new AggregateError(failures),
    });
  }

  /** As long as there is a bridge that guests may be on, it has its rules. */
  private async removeGuarded(plan: NetworkPlan): Promise<void> {
    await this.parts.bridges.remove(plan);
    this.parts.watch.release(plan);
    await this.parts.firewall.remove(plan);
  }

  leases(plan: NetworkPlan): Promise<HostLease[]> {
    return this.parts.dnsmasq.leases(plan);
  }

  async observe(plans: NetworkPlan[]): Promise<Observation> {
    const [[interfaces, routes], standing] = await Promise.all([this.surroundings(), this.standing(plans)]);
    return { interfaces, routes, standing };
  }

  /** What stands of networks, which are taken care of from here on. */
  private async standing(plans: NetworkPlan[]): Promise<Standing[]> {
    const standing = await this.look(plans);
    await Promise.all(plans.map((plan, index) => this.adopt(plan, standing[index]!)));
    // An earlier daemon may have been killed before it could take away what no network needs.
    if (!this.observed) await this.aftercare.due();
    this.observed = true;
    return standing;
  }

  private async adopt(plan: NetworkPlan, standing: Standing): Promise<void> {
    const { forwarding, links, watch, traffic, proxy, dnsmasq } = this.parts;
    if (!standing.bridge) return;
    forwarding.adopt(plan);
    links.guard(plan);
    traffic.adopt(plan);
    proxy.adopt(plan);
    // Nothing more is asked of the host for what stands in full: it is guarded from here on.
    if (standing.firewall) watch.guard(plan);
    if (standing.dnsmasq) await dnsmasq.adopt(plan);
  }

  /** What stands of networks. */
  private async look(plans: readonly NetworkPlan[]): Promise<Standing[]> {
    const managed = plans.filter(({ definition }) => isManaged(definition));
    const standing = new Map(managed.length === 0 ? [] : await this.lookAt(managed));
    // Of one that hangs on a bridge of somebody else's, nothing is ours and nothing is needed.
    return plans.map((plan) => standing.get(plan) ?? { bridge: false, dnsmasq: true, firewall: true });
  }

  /** What stands of networks that vnet builds. */
  private async lookAt(plans: readonly NetworkPlan[]): Promise<[NetworkPlan, Standing][]> {
    const { commands, firewall, dnsmasq } = this.parts;
    const [bridges, firewalls, processes] = await Promise.all([
      ownBridges(commands, plans), firewall.present(plans), Promise.all(plans.map((plan) => dnsmasq.runs(plan))),
    ]);
    return plans.map((plan, index) => [plan, { bridge: bridges[index]!, dnsmasq: processes[index]!, firewall: firewalls[index]! }]);
  }

  async refresh(plan: NetworkPlan, standing: Standing): Promise<void> {
    const { firewall, dnsmasq, watch } = this.parts;
    const rendered = dnsmasq.render(plan);
    await together(
      standing.firewall ? undefined : firewall.apply([plan]),
      standing.dnsmasq ? undefined : rendered && dnsmasq.write(plan, rendered).then(() => dnsmasq.start(plan)),
    );
    watch.guard(plan);
  }

  update: Host['update'] = async (before, after) => {
    if (isManaged(before.definition)) await this.parts.links.release(before);
    try {
      await updateNetwork(this.parts, before, after);
    } catch (error) {
      this.guardLink(before);
      throw error;
    }
    this.guardLink(after);
    await this.aftercare.due();
  };

  private guardLink(plan: NetworkPlan): void {
    if (isManaged(plan.definition)) this.parts.links.guardAgain(plan);
  }

  preview: Host['preview'] = (before, after) => previewNetwork(this.parts, before, after);

  pool: Host['pool'] = (plan) => this.parts.ports.pool(plan);

  attach: Host['attach'] = (network, port) => this.parts.ports.attach(network, port);

  detach: Host['detach'] = (network, port, options) => this.parts.ports.detach(network, port, options);

  reshape: Host['reshape'] = (network, before, after) => this.parts.ports.reshape(network, before, after);

  releaseLease: Host['releaseLease'] = (plan, address) => this.parts.dnsmasq.release(plan, address);

  diagnose: Host['diagnose'] = (plans) =>
    diagnose({ ...this.parts.patient, standing: (each) => this.look(each), lacks: () => this.parts.traffic.lacks() }, plans);

  nextEvents: Host['nextEvents'] = () => this.parts.events.next();

  async close(): Promise<void> {
    const { watch, links, warnings, proxy, dnsmasq, events } = this.parts;
    await Promise.all([watch.close(), links.close(), warnings.close(), proxy.close()]);
    await this.aftercare.close();
    dnsmasq.close();
    events.close();
  }
}

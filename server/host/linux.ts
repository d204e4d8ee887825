/**
 * Lives here: the Linux host: the order of the steps that make a network stand
 * and take it away, and the way back. Does not know: what a network is called,
 * which are saved, who asked; what a step does in detail.
 *
 * The rules come up beside the bridge and what is served on it: no guest is on
 * a bridge before its network is up, so none meets it without its rules.
 */
import { join } from 'node:path';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { isManaged } from '../../shared/definition/index.js';
import type { Host, HostLease, HostReport, NetworkPlan, Observation, Standing } from '../driver/host.js';
import type { Log } from '../log.js';
import { openBridges, type Bridges } from './bridges.js';
import { openCommands, type Commands, type Tool } from './command.js';
import { diagnose } from './doctor/diagnose.js';
import type { Patient } from './doctor/read.js';
import { openDnsmasq, type Dnsmasq, type Rendered } from './dnsmasq.js';
import { policyOf } from './firewall/policy.js';
import { chooseFirewall, type FirewallChoice } from './firewall/choose.js';
import type { Firewall } from './firewall/firewall.js';
import { openHostEvents, type HostEvents } from './events.js';
import { openDocker } from './foreign/docker.js';
import { openFirewalld } from './foreign/firewalld.js';
import { besideNeighbours } from './foreign/neighbour.js';
import { openWarnings, type Warnings } from './foreign/warnings.js';
import { openForwarding, type Forwarding } from './forwarding.js';
import { openWatch, type Watch } from './firewall/watch.js';
import { openShared } from './gather.js';
import { openLinkWatch, type LinkWatch } from './link-watch.js';
import { ownBridges, silenceIpv6 } from './link.js';
import { requireLan } from './lan.js';
import { openPorts, type Ports } from './port.js';
import { readInterfaces, readRoutes } from './proc.js';
import { probeLinux } from './probe.js';
import { safeInterface } from './safe-text.js';
import { refuseUnsupported } from './support.js';
import { openTraffic, type Traffic } from './traffic.js';
import { openWayBack, together, type WayBack } from './undo.js';
import { previewNetwork, updateNetwork, type Workshop } from './update/update.js';

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
  /** Where sysfs is; /sys unless given. */
  sysFolder?: string;
  log: Log;
  /** Absolute paths of programs that are not to be searched for. */
  toolPaths?: Partial<Record<Tool, string>>;
  /** Another door to programs, for tests. */
  commands?: Commands;
}

/** Opens the Linux host in the network namespace of this process. Networks that stand are left alone. */
export async function openLinuxHost(options: LinuxHostOptions): Promise<Host> {
  const { varFolder, runFolder, resolvConf, log, sysFolder = '/sys', commands = openCommands(options.toolPaths) } = options;
  const events = openHostEvents();
  const dnsmasq = await openDnsmasq({ varFolder, runFolder, resolvConf, user: options.dnsmasqUser, commands, log, tell: events.tell });
  try {
    const accept = options.acceptInForeign === true;
    const firewall = besideNeighbours(await chooseFirewall(options.firewall ?? 'auto', commands), [openFirewalld(commands), openDocker(commands, accept)]);
    const watch = openWatch(firewall, commands, log, (plans) => {
      for (const { uuid } of plans) events.tell({ kind: 'repaired', network: uuid, what: 'firewall rules' });
    });
    const warnings = openWarnings(commands, log, ['firewalld', ...(accept ? ['Docker'] : [])]);
    const forwarding = await openForwarding(runFolder, commands, log);
    return new LinuxHost(commands, firewall, watch, openLinkWatch(commands, events.tell, log), events, warnings, forwarding, openBridges(commands), dnsmasq, openTraffic(commands, log), openPorts(commands, log, sysFolder), {
      commands, tools: ['ip', 'ss', ...firewall.tools, 'dnsmasq', 'tc'], dnsmasqFolder: join(varFolder, 'dnsmasq'), dnsmasqUser: options.dnsmasqUser,
    }, sysFolder, log);
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
    private readonly links: LinkWatch,
    private readonly events: HostEvents,
    private readonly warnings: Warnings,
    private readonly forwarding: Forwarding,
    private readonly bridges: Bridges,
    private readonly dnsmasq: Dnsmasq,
    private readonly traffic: Traffic,
    private readonly ports: Ports,
    private readonly patient: Omit<Patient, 'standing' | 'lacks'>,
    private readonly sysFolder: string,
    private readonly log: Log,
  ) {}

  /** What an update of a network works with. */
  private get workshop(): Workshop {
    const { commands, firewall, watch, dnsmasq, traffic, forwarding, log } = this;
    return { commands, firewall, watch, dnsmasq, traffic, forwarding, log };
  }

  probe(): Promise<HostReport> {
    return probeLinux(this.commands, this.firewall);
  }

  async bringUp(plan: NetworkPlan): Promise<void> {
    refuseUnsupported(plan);
    if (!isManaged(plan.definition)) return requireLan(this.commands, plan, this.sysFolder);
    safeInterface(plan.bridge);
    const rendered = this.dnsmasq.render(plan);
    await together(
      this.commands.require('ip'),
      policyOf(plan) && this.firewall.require(),
      rendered && this.commands.require('dnsmasq'),
      this.traffic.require(plan),
    );
    const back = openWayBack(this.log);
    try {
      back.push('firewall', () => this.firewall.remove(plan));
      back.push('forwarding', () => this.forwarding.release(plan));
      await together(this.serve(plan, rendered, back), this.firewall.apply([plan]), this.forwarding.hold(plan));
    } catch (error) {
      await back.go();
      throw error;
    }
    this.watch.guard(plan);
    this.warnings.started(plan);
    this.links.guard(plan);
  }

  /** The bridge, and on it DHCP and DNS, and what tc does there. */
  private async serve(plan: NetworkPlan, rendered: Rendered | undefined, back: WayBack): Promise<void> {
    back.push('bridge', () => this.bridges.remove(plan));
    back.push('dnsmasq', () => this.dnsmasq.stop(plan, { forget: false }));
    await together(this.bridges.raise(plan), rendered && this.dnsmasq.write(plan, rendered));
    back.push('traffic', () => this.traffic.remove(plan));
    await together(rendered && this.dnsmasq.start(plan), silenceIpv6(plan), this.traffic.apply(plan));
  }

  async tearDown(plan: NetworkPlan, options: { forget: boolean }): Promise<void> {
    if (!isManaged(plan.definition)) return;
    this.watch.release(plan);
    this.links.release(plan);
    const steps = [
      this.dnsmasq.stop(plan, options), this.bridges.remove(plan), this.traffic.remove(plan), this.firewall.remove(plan),
      this.forwarding.release(plan),
    ];
    const results = await Promise.allSettled(steps);
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (failures.length === 0) return;
    const words = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)));
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, `network '${plan.name}' could not be taken down in full: ${words.join('; ')}`, {
      cause: failures.length === 1 ? failures[0] : new AggregateError(failures),
    });
  }

  leases(plan: NetworkPlan): Promise<HostLease[]> {
    return this.dnsmasq.leases(plan);
  }

  async observe(plans: NetworkPlan[]): Promise<Observation> {
    const [[interfaces, routes], standing] = await Promise.all([this.surroundings(), this.standing(plans)]);
    return { interfaces, routes, standing };
  }

  /** Read once for the many networks that start together: the more there are, the longer it takes. */
  private readonly surroundings = openShared(() => Promise.all([readInterfaces(), readRoutes()]));

  /** What stands of networks, which are taken care of from here on. */
  private async standing(plans: NetworkPlan[]): Promise<Standing[]> {
    const standing = await this.look(plans);
    await Promise.all(plans.map(async (plan, index) => {
      const { bridge, dnsmasq, firewall } = standing[index]!;
      if (!bridge) return;
      this.forwarding.adopt(plan);
      this.links.guard(plan);
      // Nothing more is asked of the host for what stands in full: it is guarded from here on.
      if (firewall) this.watch.guard(plan);
      if (dnsmasq) await this.dnsmasq.adopt(plan);
    }));
    return standing;
  }

  /** What stands of networks. */
  private async look(plans: readonly NetworkPlan[]): Promise<Standing[]> {
    const managed = plans.filter(({ definition }) => isManaged(definition));
    const standing = managed.length === 0 ? [] : await this.lookAt(managed);
    // Of one that hangs on a bridge of somebody else's, nothing is ours and nothing is needed.
    return plans.map((plan) => standing[managed.indexOf(plan)] ?? { bridge: false, dnsmasq: true, firewall: true });
  }

  /** What stands of networks that vnet builds. */
  private async lookAt(plans: readonly NetworkPlan[]): Promise<Standing[]> {
    const [bridges, firewalls, processes] = await Promise.all([
      ownBridges(this.commands, plans), this.firewall.present(plans), Promise.all(plans.map((plan) => this.dnsmasq.runs(plan))),
    ]);
    return plans.map((_, index) => ({ bridge: bridges[index]!, dnsmasq: processes[index]!, firewall: firewalls[index]! }));
  }

  async refresh(plan: NetworkPlan, standing: Standing): Promise<void> {
    const rendered = this.dnsmasq.render(plan);
    await together(
      standing.firewall ? undefined : this.firewall.apply([plan]),
      standing.dnsmasq ? undefined : rendered && this.dnsmasq.write(plan, rendered).then(() => this.dnsmasq.start(plan)),
    );
    this.watch.guard(plan);
  }

  update: Host['update'] = (before, after) => updateNetwork(this.workshop, before, after);

  preview: Host['preview'] = (before, after) => previewNetwork(this.workshop, before, after);

  pool: Host['pool'] = (plan) => this.ports.pool(plan);

  attach: Host['attach'] = (network, port) => this.ports.attach(network, port);

  detach: Host['detach'] = (network, port, options) => this.ports.detach(network, port, options);

  reshape: Host['reshape'] = (network, before, after) => this.ports.reshape(network, before, after);

  releaseLease: Host['releaseLease'] = (plan, address) => this.dnsmasq.release(plan, address);

  diagnose: Host['diagnose'] = (plans) => diagnose({ ...this.patient, standing: (each) => this.look(each), lacks: () => this.traffic.lacks() }, plans);

  nextEvents: Host['nextEvents'] = () => this.events.next();

  async close(): Promise<void> {
    await Promise.all([this.watch.close(), this.links.close(), this.warnings.close()]);
    this.dnsmasq.close();
    this.events.close();
  }
}

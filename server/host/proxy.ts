/**
 * Lives here: the host answers on the LAN for guests whose subnet is a part of
 * the LAN's (`<vnet:proxy>`): who is there asks for a guest as for a
 * neighbour, and gets the host, which routes. Does not know: routes, rules.
 *
 * ARP: the kernel answers for every address that it routes elsewhere
 * (proxy_arp), on the LAN's device and on the bridge. NDP: it answers for the
 * addresses that it is told, one by one: those of the definition, all that
 * DHCP may give or all of the subnet if they are few, else those that it gave,
 * and those that speak to the host, as the kernel's neighbours on the bridge.
 */
import { addressToNumber, lastAddress, numberToAddress, subnetContains } from '../../shared/address.js';
import { familyOfIp, subnetOfIp } from '../../shared/definition/index.js';
import type { HostLease, NetworkPlan } from '../driver/host.js';
import type { Log } from '../log.js';
import { CommandError, type Commands } from './command.js';
import { openListening, type Listening } from './listening.js';
import { openRemembered, type Remembered } from './remembered.js';
import { safeAddress, safeInterface } from './safe-text.js';
import { openTurns } from './turns.js';

/** Who answers for guests. */
export interface Proxy {
  /** Begins to answer for a network's guests; its bridge is up. @throws {NetworkError} SYSTEM_ERROR if the LAN's device is not there */
  apply(plan: NetworkPlan): Promise<void>;
  /** A network stood already when this process began: goes on learning its guests' addresses. */
  adopt(plan: NetworkPlan): void;
  /** Ends it. What was changed on the LAN's device is as it was, once no network needs it. */
  remove(plan: NetworkPlan): Promise<void>;
  /** Stops learning; the host goes on answering for those it knows. */
  close(): Promise<void>;
}

/** What answering takes of the rest of the host. */
export interface ProxyOptions {
  commands: Commands;
  log: Log;
  /** Where it is remembered what the LAN's device had before; its folder is there. */
  memory: string;
  leases(plan: NetworkPlan): Promise<HostLease[]>;
}

/** The most addresses that are learned of one network: a guest may make up as many as it likes. */
const mostAddresses = 4096;

/** The most addresses of a subnet or of DHCP's ranges for which the host answers whether or not somebody has them: each is a multicast group of the LAN's device. */
const mostUnseen = 256n;

/** How long what is heard is let run on before anything is done about it; a lease is written meanwhile. */
const settleMs = 200;

/** A line of `ip monitor neigh` about one who is there. */
const neighbour = /^(?:\[NEIGH\])?([0-9a-f:]+) dev (\S+) (?:.* )?lladdr /i;

/** Opens it. It costs nothing until a network asks for it. */
export function openProxy(options: ProxyOptions): Proxy {
  return new KernelProxy(options, openRemembered(options.memory));
}

class KernelProxy implements Proxy {
  /** The networks whose guests' IPv6 addresses are learned, by bridge, each with those that were seen on it. */
  private readonly learning = new Map<string, { plan: NetworkPlan; seen: Set<string> }>();
  /** One change after another. */
  private readonly serial = openTurns();
  private readonly listening: Listening;
  private readonly waiting = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly options: ProxyOptions, private readonly remembered: Remembered) {
    const { commands, log } = options;
    this.listening = openListening({
      commands, log, what: 'new addresses of guests',
      source: async () => ({ tool: 'ip', argv: ['-6', 'monitor', 'neigh'] }),
      onLine: (line) => this.hear(line),
      onBegun: () => { for (const bridge of this.learning.keys()) this.soon(bridge); },
    });
  }

  async apply(plan: NetworkPlan): Promise<void> {
    const { proxy } = plan.definition;
    if (proxy === undefined) return;
    const device = deviceOf(plan);
    if (proxy.arp) await Promise.all([device, safeInterface(plan.bridge)].map((each) => this.remembered.need(plan.uuid, `ipv4/conf/${each}/proxy_arp`, '1')));
    if (!proxy.ndp) return;
    await this.remembered.need(plan.uuid, `ipv6/conf/${device}/proxy_ndp`, '1');
    await this.answerFor(plan, new Set());
    this.adopt(plan);
  }

  adopt(plan: NetworkPlan): void {
    if (!plan.definition.proxy?.ndp || this.closed || this.learning.has(plan.bridge)) return;
    this.learning.set(plan.bridge, { plan, seen: new Set() });
    this.listening.start();
    this.soon(plan.bridge);
  }

  async remove(plan: NetworkPlan): Promise<void> {
    const { proxy } = plan.definition;
    if (proxy === undefined) return;
    this.learning.delete(plan.bridge);
    if (this.learning.size === 0) this.listening.stop();
    await this.serial(async () => {
      if (proxy.ndp) await this.tell('delete', plan, await this.answered(plan));
    });
    await this.remembered.release(plan.uuid);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await Promise.all([this.listening.close(), this.serial(async () => undefined)]);
  }

  private hear(line: string): void {
    const [, address = '', device = ''] = neighbour.exec(line) ?? [];
    const entry = this.learning.get(device);
    if (entry === undefined || entry.seen.has(address) || entry.seen.size >= mostAddresses) return;
    // One of the link alone is nobody's on the LAN, but whoever has it may just have got a lease.
    if (!address.startsWith('fe80:')) entry.seen.add(address);
    this.soon(device);
  }

  private soon(bridge: string): void {
    this.waiting.add(bridge);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      for (const each of this.waiting) {
        this.waiting.delete(each);
        void this.learn(each).catch((error: unknown) => this.options.log.error({ err: error, bridge: each }, 'the host cannot answer for new guests'));
      }
    }, settleMs).unref();
  }

  private async learn(bridge: string): Promise<void> {
    const entry = this.learning.get(bridge);
    if (entry === undefined || this.closed) return;
    const shown = JSON.parse(await this.options.commands.read('ip', ['-6', '-json', 'neigh', 'show', 'dev', safeInterface(bridge)]) || '[]') as { dst: string; lladdr?: string }[];
    for (const { dst, lladdr } of shown) if (lladdr !== undefined && entry.seen.size < mostAddresses) entry.seen.add(dst);
    if (this.learning.get(bridge) === entry) await this.answerFor(entry.plan, entry.seen);
  }

  /** Makes the host answer for all of a network's guests that are known. */
  private async answerFor(plan: NetworkPlan, seen: ReadonlySet<string>): Promise<void> {
    const leases = (await this.options.leases(plan)).map(({ address }) => address);
    await this.serial(async () => {
      const already = new Set(await this.answered(plan));
      const known = new Set([...knownAddresses(plan), ...leases, ...seen].map(safeAddress));
      await this.tell('replace', plan, [...known].filter((address) => !already.has(address) && isGuests(plan, address)));
    });
  }

  /** The addresses of a network for which the host answers. */
  private async answered(plan: NetworkPlan): Promise<string[]> {
    try {
      const shown = await this.options.commands.read('ip', ['-6', '-json', 'neigh', 'show', 'proxy', 'dev', deviceOf(plan)]);
      return (JSON.parse(shown || '[]') as { dst: string }[]).map(({ dst }) => dst).filter((address) => isGuests(plan, address));
    } catch (error) {
      // A device that is gone answers for nobody.
      if (error instanceof CommandError && /Cannot find device|does not exist/.test(error.words)) return [];
      throw error;
    }
  }

  private async tell(verb: 'replace' | 'delete', plan: NetworkPlan, addresses: string[]): Promise<void> {
    if (addresses.length === 0) return;
    const device = deviceOf(plan);
    await this.options.commands.run('ip', ['-6', '-batch', '-'], { input: addresses.map((address) => `neigh ${verb} proxy ${safeAddress(address)} dev ${device}\n`).join('') });
  }
}

/** The device of the LAN. The rules have seen to it that there is one. */
function deviceOf({ definition }: NetworkPlan): string {
  return safeInterface(definition.forward?.dev ?? '');
}

/** The addresses that guests of a network have or may have, as its definition says. */
export function knownAddresses({ definition }: NetworkPlan): string[] {
  return definition.ips.filter((ip) => familyOfIp(ip) === 'ipv6').flatMap((ip) => {
    const subnet = subnetOfIp(ip);
    const ranges = [{ first: subnet.network, last: lastAddress(subnet) }, ...(ip.dhcp?.ranges ?? []).map(({ start, end }) => ({ first: addressToNumber(start), last: addressToNumber(end) }))];
    const few = ranges.filter(({ first, last }) => last - first < mostUnseen);
    const all = few.flatMap(({ first, last }) => Array.from({ length: Number(last - first) + 1 }, (_, index) => numberToAddress(first + BigInt(index), 'ipv6')));
    return [ip.address, ...ip.dhcp?.hosts.map((host) => host.ip) ?? [], ...all];
  });
}

/** Whether an address lies in one of a network's IPv6 subnets. */
function isGuests({ definition }: NetworkPlan, address: string): boolean {
  return definition.ips.some((ip) => familyOfIp(ip) === 'ipv6' && subnetContains(subnetOfIp(ip), address));
}

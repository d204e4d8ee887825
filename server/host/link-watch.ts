/**
 * Lives here: noticing that another program has removed the bridge of a
 * network that is up. Does not know: what is done about it.
 */
import type { NetworkPlan } from '../driver/host.js';
import type { Log } from '../log.js';
import type { Commands } from './command.js';
import type { Tell } from './events.js';
import { ownBridges } from './link.js';
import { openListening, type Listening } from './listening.js';

/** Who keeps an eye on bridges. */
export interface LinkWatch {
  /** From now on this network's bridge is to be there. */
  guard(plan: NetworkPlan): void;
  /** From now on nobody misses this network's bridge; to be called before it is removed. */
  release(plan: NetworkPlan): void;
  close(): Promise<void>;
}

/** How long removals are let run on before the bridges are looked at: they may be many. */
const settleMs = 100;

/** How long until what has failed is tried again. */
const retryMs = 1000;

/** What `ip monitor` prints of a link that is gone. */
const removal = /^Deleted \d+: ([^:@\s]+)/;

/** Opens a watch. It costs nothing until a network is guarded, and one program for all of them then. */
export function openLinkWatch(commands: Commands, tell: Tell, log: Log): LinkWatch {
  return new BridgeWatch(commands, tell, log);
}

class BridgeWatch implements LinkWatch {
  /** By the bridge's name. */
  private readonly guarded = new Map<string, NetworkPlan>();
  private readonly listening: Listening;
  private timer: NodeJS.Timeout | undefined;
  private checking: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(private readonly commands: Commands, private readonly tell: Tell, private readonly log: Log) {
    this.listening = openListening({
      commands, log, what: 'removals of bridges',
      source: async () => ({ tool: 'ip', argv: ['-oneline', 'monitor', 'link'] }),
      onLine: (line) => { if (this.guarded.has(removal.exec(line)?.[1] ?? '')) this.soon(settleMs); },
      // What happened before was not heard.
      onBegun: () => this.soon(retryMs),
    });
  }

  guard(plan: NetworkPlan): void {
    if (this.closed) return;
    this.guarded.set(plan.bridge, plan);
    this.listening.start();
  }

  release({ bridge, uuid }: NetworkPlan): void {
    if (this.guarded.get(bridge)?.uuid === uuid) this.guarded.delete(bridge);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.guarded.clear();
    clearTimeout(this.timer);
    await Promise.all([this.listening.close(), this.checking]);
  }

  private soon(delayMs: number): void {
    if (this.closed) return;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.checking = this.checking.then(() => this.check());
    }, delayMs).unref();
  }

  /** Looks at all bridges once: what was heard may be about one that we removed and made again since. */
  private async check(): Promise<void> {
    const plans = [...this.guarded.values()];
    try {
      const own = await ownBridges(this.commands, plans);
      for (const [index, plan] of plans.entries()) {
        if (own[index] === true || this.guarded.get(plan.bridge) !== plan) continue;
        this.guarded.delete(plan.bridge);
        this.tell({ kind: 'bridge-lost', network: plan.uuid });
      }
    } catch (error) {
      this.log.error({ err: error }, 'the bridges of networks cannot be looked at');
      this.soon(retryMs);
    }
  }
}

/**
 * Lives here: DHCP's answers leave with complete checksums where tc cannot see
 * to it: iptables' CHECKSUM target, in one rule for all networks:
 *
 *     mangle  POSTROUTING    -> VNET_CHECKSUM   answers of DHCP alone
 *             VNET_CHECKSUM                     the checksum is completed
 *
 * It is there with every firewall, comes with the first network that needs it
 * and goes after the last. A file that a boot clears says that it was made, so
 * that a later daemon misses it. Does not know: tc, what a network permits.
 */
import { access } from 'node:fs/promises';
import type { NetworkPlan } from '../driver/host.js';
import { removeFile, replaceFile } from '../files.js';
import type { Log } from '../log.js';
import type { Commands } from './command.js';
import type { Firewall, Notice } from './firewall/firewall.js';
import { parseSave, type Chains } from './firewall/iptables-state.js';
import { sweepTable } from './firewall/sweep.js';
import { openTurns } from './turns.js';

/** Completes checksums. */
export interface Checksums {
  /** Completes those of DHCP's answers as long as a network needs it; where that cannot be, a line of the log says so. */
  need(plan: NetworkPlan): Promise<void>;
  /** A network stood already when this process began, and may need it. */
  adopt(plan: NetworkPlan): void;
  /** A network needs it no more. */
  release(plan: NetworkPlan): void;
  /** Takes the rule away if no network needs it. */
  tidy(): Promise<void>;
  /** Whether the rule was made, and completes them. */
  completes(): boolean;
  /** A firewall whose rules include this one, so that it comes back as they do. */
  beside(firewall: Firewall): Firewall;
}

const chain = 'VNET_CHECKSUM';
const jump = `-p udp -m udp --sport 67 --dport 68 -j ${chain}`;
const rule = '-p udp -j CHECKSUM --checksum-fill';

/** How long to wait for others who have the lock of the older iptables, in seconds. */
const lockTimeoutSeconds = 10;

/**
 * Opens it. Nothing is done until a network needs it.
 *
 * @param mark the file that says that the rule was made; its folder is there
 */
export function openChecksums(commands: Commands, mark: string, log: Log): Checksums {
  return new IptablesChecksums(commands, mark, log);
}

class IptablesChecksums implements Checksums {
  private readonly users = new Set<string>();
  /** Whether the rule was made; unknown until it was looked for. */
  private made: boolean | undefined;
  private warned = false;
  private readonly serial = openTurns();

  constructor(private readonly commands: Commands, private readonly mark: string, private readonly log: Log) {}

  need({ uuid }: NetworkPlan): Promise<void> {
    return this.serial(async () => {
      this.users.add(uuid);
      if (this.made === true) return;
      const known = await this.isMarked();
      try {
        if (!known) await replaceFile(this.mark, '', 0o600);
        // Without a mark there is nothing that could be in the way.
        await (known ? this.change(renderFill) : this.restore(renderFill(undefined)));
        this.made = true;
      } catch (error) {
        // It may have failed after its work. One that an earlier network has made is that one's, and stays.
        if (!known) await this.unmake().catch(() => removeFile(this.mark));
        this.made = known ? undefined : false;
        if (!this.warned) this.log.warn({ err: error }, 'DHCP answers reach guests with incomplete checksums, which old DHCP clients refuse: the host has neither the kernel module act_csum and the program tc, nor xt_CHECKSUM and iptables');
        this.warned = true;
      }
    });
  }

  adopt({ uuid }: NetworkPlan): void {
    this.users.add(uuid);
  }

  release({ uuid }: NetworkPlan): void {
    this.users.delete(uuid);
  }

  tidy(): Promise<void> {
    return this.serial(async () => {
      if (this.users.size > 0 || !await this.isMade()) return;
      await this.unmake();
      this.made = false;
    });
  }

  private async unmake(): Promise<void> {
    await this.change(renderEnd);
    await removeFile(this.mark);
    await sweepTable(this.commands, 'ip mangle');
  }

  completes(): boolean {
    return this.made === true;
  }

  beside(firewall: Firewall): Firewall {
    return {
      name: firewall.name,
      tools: firewall.tools,
      require: () => firewall.require(),
      update: (before, after) => firewall.update(before, after),
      remove: (plan) => firewall.remove(plan),
      tidy: () => firewall.tidy(),
      holdsAny: () => firewall.holdsAny(),
      apply: async (plans) => {
        await firewall.apply(plans);
        if (plans.some(({ uuid }) => this.users.has(uuid)) && await this.isMade()) await this.serial(() => this.change(renderFill));
      },
      present: async (plans) => {
        const present = await firewall.present(plans);
        const lost = await this.serial(() => this.isLost());
        return plans.map(({ uuid }, index) => present[index]! && !(lost && this.users.has(uuid)));
      },
      notice: async () => widened(await firewall.notice()),
    };
  }

  /** Whether the rule was made, by this daemon or an earlier one. */
  private async isMade(): Promise<boolean> {
    return this.made ??= await this.isMarked();
  }

  private isMarked(): Promise<boolean> {
    return access(this.mark).then(() => true, () => false);
  }

  /** Whether somebody has taken the rule away. */
  private async isLost(): Promise<boolean> {
    return this.users.size > 0 && await this.isMade() && !stands(await this.look());
  }

  private async change(render: (chains: Chains | undefined) => string): Promise<void> {
    const input = render(await this.look());
    if (input !== '') await this.restore(input);
  }

  private async restore(input: string): Promise<void> {
    await this.commands.run('iptables-restore', ['--noflush', `--wait=${lockTimeoutSeconds}`], { input });
  }

  private async look(): Promise<Chains | undefined> {
    return parseSave(await this.commands.read('iptables-save', ['-t', 'mangle'])).get('mangle');
  }
}

function stands(chains: Chains | undefined): boolean {
  return chains?.get(chain)?.join() === rule && jumpsIn(chains) > 0;
}

function jumpsIn(chains: Chains | undefined): number {
  return chains?.get('POSTROUTING')?.filter((each) => each === jump).length ?? 0;
}

/** The input of iptables-restore after which the rule is there, once. */
function renderFill(chains: Chains | undefined): string {
  if (stands(chains)) return '';
  const way = jumpsIn(chains) > 0 ? '' : `-A POSTROUTING ${jump}\n`;
  return `*mangle\n:${chain} -\n-A ${chain} ${rule}\n${way}COMMIT\n`;
}

/** The input of iptables-restore after which nothing of it is there. */
function renderEnd(chains: Chains | undefined): string {
  if (chains?.has(chain) !== true) return '';
  // A chain cannot be deleted in the transaction that deletes the last jump to it.
  return `*mangle\n${`-D POSTROUTING ${jump}\n`.repeat(jumpsIn(chains))}-F ${chain}\nCOMMIT\n*mangle\n-X ${chain}\nCOMMIT\n`;
}

/** Where there is a program to listen to, what it tells of this rule is heard as well. */
function widened(notice: Notice): Notice {
  return !('tool' in notice) ? notice : { ...notice, concerns: new RegExp(`${notice.concerns.source}|\\b${chain}\\b|^delete \\w+ ip mangle\\b`) };
}

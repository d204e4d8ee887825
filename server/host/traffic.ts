/**
 * Lives here: what tc does on a network's bridge: it holds guests to the
 * network's bandwidth and completes the checksums of DHCP's answers, or leaves
 * that to iptables (see `checksums.ts`). Does not know: how much that is.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { familyOfIp, servesDhcp } from '../../shared/definition/index.js';
import type { NetworkPlan } from '../driver/host.js';
import { bandwidthLines, hasBandwidth, limitsSending, removeBandwidth } from './bandwidth.js';
import { runBlocks, type Line } from './batch.js';
import type { Checksums } from './checksums.js';
import { CommandError, type Commands } from './command.js';
import { openGathering } from './gather.js';
import { safeInterface } from './safe-text.js';
import { changeLines, linesDiffer } from './update/queues.js';

/** What tc does for networks. */
export interface Traffic {
  /** Checks that what a network cannot do without is there. @throws {NetworkError} SYSTEM_ERROR if tc is not installed */
  require(plan: NetworkPlan): Promise<void>;
  /**
   * Tells tc of a network whose bridge is new. What is on the bridge goes with it.
   *
   * @throws {NetworkError} INTERNAL_ERROR with tc's words, and a hint of what the kernel needs
   */
  apply(plan: NetworkPlan): Promise<void>;
  /** A network stood already when this process began. */
  adopt(plan: NetworkPlan): void;
  /** Whether tc is told something else of one plan than of another; undefined: of no network. */
  differs(before: NetworkPlan | undefined, after: NetworkPlan): boolean;
  /** Changes what tc does from one plan's to another's. @throws {NetworkError} as apply */
  update(before: NetworkPlan, after: NetworkPlan): Promise<void>;
  /** Removes what is beside the bridge. */
  remove(plan: NetworkPlan): Promise<void>;
  /** What was asked of the kernel, or looked for, and is not there: `act_csum`. */
  lacks(): readonly string[];
}

/** Opens it. What the kernel does not have is asked of it once. */
export function openTraffic(commands: Commands, checksums: Checksums): Traffic {
  let completes = true;
  let asked = false;
  const giveUp = () => { completes = false; };
  const linesOf = (plan: NetworkPlan) => linesFor(commands, plan, completes && answersDhcp(plan), giveUp);
  const apply = async (plans: readonly NetworkPlan[]): Promise<Map<NetworkPlan, unknown>> => {
    const failures = await runBlocks(commands, 'tc', plans.map((plan) => linesOf(plan)));
    return new Map(plans.flatMap((plan, index) => (failures[index] === undefined ? [] : [[plan, failureOf(plan, failures[index].error)]])));
  };
  const applying = openGathering<NetworkPlan>(async (plans) => {
    // Where one with DHCP comes first, it tells whether the kernel has it, and the others need not find that out one by one.
    const first = asked ? undefined : plans.find(answersDhcp);
    if (first === undefined) return apply(plans);
    asked = true;
    const failures = await apply([first]);
    return new Map([...failures, ...await apply(plans.filter((plan) => plan !== first))]);
  });
  return {
    require: async (plan) => {
      if (hasBandwidth(plan)) await commands.require('tc');
      else if (completes && answersDhcp(plan)) await commands.require('tc').catch(giveUp);
    },
    apply: async (plan) => {
      // What cannot be rendered is this network's own error, before others are in it.
      if (linesOf(plan).length > 0) await applying.add(plan);
      if (!completes && answersDhcp(plan)) await checksums.need(plan);
    },
    differs: (before, after) => linesDiffer(before === undefined ? [] : linesOf(before), linesOf(after)),
    update: (before, after) => explained(after, changeLines(commands, after, linesOf(before), linesOf(after))),
    adopt: (plan) => {
      if (answersDhcp(plan)) checksums.adopt(plan);
    },
    remove: async (plan) => {
      checksums.release(plan);
      await removeBandwidth(commands, plan);
    },
    lacks: () => (completes || checksums.completes() ? [] : ['act_csum']),
  };
}

async function explained(plan: NetworkPlan, step: Promise<void>): Promise<void> {
  await step.catch((error: unknown) => { throw failureOf(plan, error); });
}

function failureOf({ name }: NetworkPlan, error: unknown): unknown {
  if (!(error instanceof CommandError)) return error;
  return new NetworkError(ErrorCode.INTERNAL_ERROR, `cannot control the traffic of network '${name}': ${error.message}`, {
    cause: error, hint: 'bandwidth needs the kernel modules sch_htb, sch_ingress and cls_u32, and act_police or else ifb and act_mirred',
  });
}

function linesFor(commands: Commands, plan: NetworkPlan, completes: boolean, giveUp: () => void): Line[] {
  const bridge = safeInterface(plan.bridge);
  const without = async (): Promise<Line[]> => {
    giveUp();
    return [];
  };
  const unused = async () => [...await without(), ...(limitsSending(plan) ? [] : [{ text: `qdisc del dev ${bridge} clsact`, instead: async () => [] }])];
  return [
    ...(completes || limitsSending(plan) ? [{ text: `qdisc add dev ${bridge} clsact`, ...(limitsSending(plan) ? {} : { instead: without }) }] : []),
    // The kernel leaves checksums to whoever takes the packet off the bridge. A guest's own kernel knows; a DHCP client
    // that looks at packets before its kernel has an address may not, and drops them.
    ...(completes ? [{ text: `filter add dev ${bridge} egress protocol ip u32 match ip protocol 17 0xff match ip dport 68 0xffff action csum udp`, instead: unused }] : []),
    ...bandwidthLines(commands, plan),
  ];
}

/** Whether the network's guests get addresses by DHCP. Over IPv6 their own kernels look at the packets. */
function answersDhcp({ definition }: NetworkPlan): boolean {
  return definition.ips.some((ip) => familyOfIp(ip) === 'ipv4' && servesDhcp(ip));
}

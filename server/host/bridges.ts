/**
 * Lives here: making and removing the bridges of networks, many in one call of
 * ip where many are asked for at once. Does not know: what makes a bridge a
 * network's (see `link.ts`).
 */
import { randomInt } from 'node:crypto';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { NetworkPlan } from '../driver/host.js';
import { runBlocks, type BlockFailure, type Line } from './batch.js';
import { CommandError, type Commands } from './command.js';
import { openGathering } from './gather.js';
import { hasIpv6, ownBridges, renderAddresses, renderBridge, tellsBridge } from './link.js';
import { readInterfaces } from './proc.js';
import { safeInterface } from './safe-text.js';
import { setBridgeIpv6 } from './sysctl.js';

/** The bridges of networks. */
export interface Bridges {
  /**
   * Makes a network's bridge and sets it up with its addresses and routes. If
   * this fails after the bridge is made, the bridge is marked as ours.
   *
   * @throws {NetworkError} SYSTEM_ERROR with the kernel's words, such as `File
   * exists`: the bridge that is there already is not touched; INTERNAL_ERROR
   * for addresses and routes
   */
  raise(plan: NetworkPlan): Promise<void>;
  /** Removes a network's bridge if it is there and ours. */
  remove(plan: NetworkPlan): Promise<void>;
}

/** How many bridges are made in one call, each of which takes the kernel less than a millisecond. */
const mostRaised = 256;

/** How many are removed in one call: the kernel takes 20 milliseconds for each, and whoever comes next waits. */
const mostRemoved = 16;

/**
 * Refuses a bridge name that is taken, before rules are made for it that would
 * hold for somebody else's interface.
 *
 * @throws {NetworkError} SYSTEM_ERROR as {@link Bridges.raise}
 */
export async function refuseTakenName(plan: NetworkPlan): Promise<void> {
  if ((await readInterfaces()).includes(plan.bridge)) throw refusedBridge(plan, 'File exists');
}

/** Opens them. */
export function openBridges(commands: Commands): Bridges {
  const raising = openGathering<NetworkPlan>((plans) => raiseAll(commands, plans), mostRaised);
  const removing = openGathering<NetworkPlan>((plans) => removeAll(commands, plans), mostRemoved);
  return { raise: (plan) => raising.add(plan), remove: (plan) => removing.add(plan) };
}

type Failed = Map<NetworkPlan, unknown>;

/** Makes bridges: in one call, or, if any has IPv6, in two, since IPv6 has to be on before there can be an address. */
async function raiseAll(commands: Commands, plans: readonly NetworkPlan[]): Promise<Failed> {
  const failed: Failed = new Map();
  const twice = plans.some(hasIpv6);
  // All is rendered before anything is done: what cannot be has an error of its own then.
  const making = new Map(plans.map((plan) => [plan, linesOf(renderBridge(plan))]));
  const addressing = new Map(plans.map((plan) => [plan, linesOf(renderAddresses(plan))]));
  const made = await runBlocks(commands, 'ip', plans.map((plan) => [...making.get(plan)!, ...(twice ? [] : addressing.get(plan)!)]));
  for (const [index, plan] of plans.entries()) {
    const failure = made[index];
    if (failure !== undefined) failed.set(plan, await afterRefusal(commands, plan, failure));
  }
  if (!twice) return failed;
  const collect = (plan: NetworkPlan) => (error: unknown) => void failed.set(plan, error);
  const standing = () => plans.filter((plan) => !failed.has(plan));
  await Promise.all(standing().filter(hasIpv6).map((plan) => setBridgeIpv6(plan.bridge, true).catch(collect(plan))));
  const ready = standing();
  const addressed = await runBlocks(commands, 'ip', ready.map((plan) => addressing.get(plan)!));
  for (const [index, plan] of ready.entries()) if (addressed[index] !== undefined) failed.set(plan, addressed[index]?.error);
  return failed;
}

/** What a bridge's failure reads like. Its first two lines are {@link renderBridge}'s: they make it and mark it. */
async function afterRefusal(commands: Commands, plan: NetworkPlan, { error, line }: BlockFailure): Promise<unknown> {
  try {
    // Made, but not marked: nobody but this call knows that it is ours.
    if (line === 2) await deleteBridge(commands, plan);
  } catch (other) {
    return other;
  }
  return line <= 2 && error instanceof CommandError ? refusedBridge(plan, error.words, error) : error;
}

function refusedBridge(plan: NetworkPlan, said: string, cause?: CommandError): NetworkError {
  const words = said.replace(/\s*Command failed -:\d+\s*/, '').replace(/^RTNETLINK answers: /, '');
  if (tellsBridge(plan) && words.includes('not supported')) {
    return new NetworkError(ErrorCode.CONFIG_UNSUPPORTED, `network/bridge/@macTableManager='libvirt' of network '${plan.name}' is not supported on this host: the kernel does not filter VLANs on bridges`, {
      cause, hint: 'it needs CONFIG_BRIDGE_VLAN_FILTERING; the definition is kept; the network can be started once this is taken out of it',
    });
  }
  return new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot create bridge '${plan.bridge}' of network '${plan.name}': ${words}`, {
    cause, hint: words.includes('File exists') ? `an interface of that name is there already; look at it with: ip -d link show ${plan.bridge}` : undefined,
  });
}

/**
 * Removes bridges as one group of links, which takes the kernel half as long
 * as one after the other.
 */
async function removeAll(commands: Commands, plans: readonly NetworkPlan[]): Promise<Failed> {
  const own = await ownBridges(commands, plans);
  const ours = plans.filter((_, index) => own[index]);
  if (ours.length > 1) {
    // In the way of nobody else's group: there are two thousand million.
    const group = String(randomInt(2 ** 24, 2 ** 31));
    await runBlocks(commands, 'ip', [
      ...ours.map((plan) => [{ text: `link set dev ${safeInterface(plan.bridge)} group ${group}` }]), [{ text: `link delete group ${group}` }],
    ]);
  }
  return removeRest(commands, ours);
}

/** Removes those of some bridges that are still there, each by itself. */
async function removeRest(commands: Commands, plans: readonly NetworkPlan[]): Promise<Failed> {
  const failed: Failed = new Map();
  const left = plans.length > 1 ? new Set(await readInterfaces()) : new Set(plans.map(({ bridge }) => bridge));
  for (const plan of plans.filter(({ bridge }) => left.has(bridge))) {
    try {
      await deleteBridge(commands, plan);
    } catch (error) {
      if ((await readInterfaces()).includes(plan.bridge)) failed.set(plan, error);
    }
  }
  return failed;
}

async function deleteBridge(commands: Commands, { bridge }: NetworkPlan): Promise<void> {
  await commands.run('ip', ['link', 'delete', 'dev', safeInterface(bridge), 'type', 'bridge']);
}

function linesOf(text: string): Line[] {
  return text.split('\n').filter((line) => line !== '').map((line) => ({ text: line }));
}

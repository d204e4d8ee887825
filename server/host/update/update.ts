/**
 * Lives here: bringing a network that stands from one plan to another, and
 * back if a step fails: the order of the steps. What does not differ is not
 * touched. Every step also leads on from what an update that was cut off has
 * left, so that a later daemon can take one back. Does not know: what a step
 * does.
 */
import { isManaged } from '../../../shared/definition/index.js';
import type { HostChange, NetworkPlan } from '../../driver/host.js';
import type { Log } from '../../log.js';
import type { Commands } from '../command.js';
import type { Dnsmasq } from '../dnsmasq.js';
import type { Firewall } from '../firewall/firewall.js';
import { policyOf } from '../firewall/policy.js';
import type { Watch } from '../firewall/watch.js';
import { forwardedFamilies, type Forwarding } from '../forwarding.js';
import type { Proxy } from '../proxy.js';
import { refuseUnsupported } from '../support.js';
import type { Traffic } from '../traffic.js';
import { openWayBack, together } from '../undo.js';
import { describeDifference, describeStart, differenceOf, refuseFixed, type Difference } from './difference.js';
import { changeAddresses, changeLink } from './link.js';

/** What an update works with. */
export interface Workshop {
  commands: Commands;
  firewall: Firewall;
  watch: Watch;
  dnsmasq: Dnsmasq;
  traffic: Traffic;
  forwarding: Forwarding;
  proxy: Proxy;
  log: Log;
}

/** Host.update of the Linux host. */
export async function updateNetwork(workshop: Workshop, before: NetworkPlan, after: NetworkPlan): Promise<void> {
  const difference = lookAt(workshop, before, after);
  if (difference === undefined) return;
  const { commands, firewall, watch, dnsmasq, traffic, forwarding, proxy, log } = workshop;
  await together(
    commands.require('ip'),
    difference.rules && policyOf(after) !== undefined ? firewall.require() : undefined,
    difference.dnsmasq === 'none' || difference.dnsmasq === 'stop' ? undefined : commands.require('dnsmasq'),
  );
  const reverse = lookAt(workshop, after, before)!;
  const back = openWayBack(log);
  if (difference.rules) watch.release(before);
  try {
    back.push('link', () => changeLink(commands, before, reverse));
    await changeLink(commands, after, difference);
    back.push('addresses', () => changeAddresses(commands, before, reverse));
    await changeAddresses(commands, after, difference);
    back.push('rules', () => firewall.update(after, before));
    await firewall.update(before, after);
    back.push('forwarding', () => forwarding.hold(before));
    await forwarding.hold(after);
    if (difference.proxy) {
      back.push('proxy', () => proxy.remove(after).then(() => proxy.apply(before)));
      await proxy.remove(before);
      await proxy.apply(after);
    }
    back.push('queues', () => traffic.update(after, before));
    await traffic.update(before, after);
    back.push('dnsmasq', () => dnsmasq.change(after, before));
    await dnsmasq.change(before, after);
  } catch (error) {
    await back.go();
    watch.guard(before);
    throw error;
  }
  watch.guard(after);
}

/** Host.preview of the Linux host. */
export async function previewNetwork(workshop: Workshop, before: NetworkPlan | undefined, after: NetworkPlan): Promise<HostChange[]> {
  refuseUnsupported(after);
  if (before === undefined) {
    if (!isManaged(after.definition)) return [];
    return describeStart(after, workshop.dnsmasq.render(after), forwardedFamilies(after), workshop.traffic.differs(undefined, after));
  }
  const difference = lookAt(workshop, before, after);
  return difference === undefined ? [] : describeDifference(difference, after);
}

/** What differs; undefined if nothing of either is ours. @throws {NetworkError} CONFIG_UNSUPPORTED for what cannot be, or only by a new start */
function lookAt({ dnsmasq, traffic }: Workshop, before: NetworkPlan, after: NetworkPlan): Difference | undefined {
  refuseUnsupported(after);
  refuseFixed(before, after);
  if (!isManaged(after.definition)) return undefined;
  return differenceOf(before, after, [dnsmasq.render(before), dnsmasq.render(after)], traffic.differs(before, after));
}

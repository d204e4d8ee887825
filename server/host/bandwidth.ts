/**
 * Lives here: how much a network's guests may receive and send, as tc holds
 * it on the network's bridge. Does not know: single guests, what else tc does
 * there.
 *
 * What guests receive the bridge transmits, so it waits there in a queue of
 * its own (HTB). What they send arrives at the bridge, where nothing waits:
 * there the kernel drops what is too much (police), or, where it has no such
 * action, leads it through a queue on a device made for that (IFB).
 *
 *     BRIDGE  1:       what guests receive; 1:1 the whole network, 1:2 what no guest is promised
 *             ingress  what guests send
 *     vnbXXX  as 1: of the bridge, for what guests send; only where it takes one
 */
import type { BandwidthDirection } from '../../shared/definition/index.js';
import type { NetworkPlan } from '../driver/host.js';
import type { Commands } from './command.js';
import { renderAlias } from './link.js';
import { readInterfaces } from './proc.js';
import { safeInterface, safeNumber, uuidDigits } from './safe-text.js';
import { failedLine, type Line } from './tc.js';

/** The most KiB of burst that tc can count, and libvirt's limit as well. */
const largestBurst = 2 ** 22 - 1;

/** tc counts a burst as the time it takes, in 32 bits of 64 ns: more than 274 seconds would begin again at 0. */
const longestBurstSeconds = 274;

/** In bytes. What the kernel itself never goes above. */
const largestQuantum = 200_000;

/** Whether a network's guests are limited. */
export function hasBandwidth({ definition: { bandwidth } }: NetworkPlan): boolean {
  return [bandwidth?.inbound, bandwidth?.outbound].some((direction) => direction?.average !== undefined);
}

/** Whether what a network's guests send is limited. */
export function limitsSending({ definition: { bandwidth } }: NetworkPlan): boolean {
  return bandwidth?.outbound?.average !== undefined;
}

/** The lines that limit a network on its bridge, which has a `clsact` qdisc already if guests' sending is limited. */
export function bandwidthLines(commands: Commands, plan: NetworkPlan): Line[] {
  const bridge = safeInterface(plan.bridge);
  const { inbound, outbound } = plan.definition.bandwidth ?? {};
  return [
    ...(inbound?.average === undefined ? [] : queueLines(bridge, inbound, inbound.average)),
    ...(outbound?.average === undefined ? [] : [{
      text: `${everythingFrom(bridge)} ${policed(outbound, outbound.average)}`,
      instead: () => makeDetour(commands, { from: bridge, detour: detourOf(plan), mark: renderAlias(plan) }, outbound, outbound.average!),
    }]),
  ];
}

/** Removes what a network's limits left beside its bridge. What is on the bridge goes with it. */
export function removeBandwidth(commands: Commands, plan: NetworkPlan): Promise<void> {
  return removeDetour(commands, detourOf(plan), renderAlias(plan));
}

/** Removes a device made by {@link makeDetour}, if it is there and bears that mark. */
export async function removeDetour(commands: Commands, device: string, mark: string): Promise<void> {
  if (!(await readInterfaces()).includes(device)) return;
  const shown = JSON.parse(await commands.read('ip', ['-json', 'link', 'show', 'type', 'ifb']) || '[]') as { ifname?: string; ifalias?: string }[];
  if (!shown.some(({ ifname, ifalias }) => ifname === device && ifalias === mark)) return;
  await commands.run('ip', ['link', 'delete', 'dev', device, 'type', 'ifb']);
}

/**
 * A queue that lets out `average`, and after a pause `burst` KiB at `peak`:
 * the lines that make it, or those that change one that is there.
 */
export function queueLines(device: string, { peak, burst }: BandwidthDirection, average: number, verb: 'add' | 'change' = 'add'): Line[] {
  const speed = `rate ${rate(average)} ceil ${rate(peak ?? average)}`;
  const share = `quantum ${quantum(average)}`;
  return [
    ...(verb === 'change' ? [] : [{ text: `qdisc add dev ${device} root handle 1: htb default 2` }]),
    { text: `class ${verb} dev ${device} parent 1: classid 1:1 htb ${speed} ${share}` },
    { text: `class ${verb} dev ${device} parent 1:1 classid 1:2 htb ${speed}${burst === undefined ? '' : ` burst ${kibibytes(burst, average)}`} ${share}` },
    leafLine(device, '2', average, verb),
  ];
}

/** Guests take turns. Without sfq the first to come is the first to go, and waits for half a second at most. */
export function leafLine(device: string, minor: string, average: number, verb: 'add' | 'change' = 'add'): Line {
  const leaf = `qdisc ${verb} dev ${device} parent 1:${minor} handle ${minor}:`;
  return {
    text: `${leaf} sfq perturb 10`,
    instead: async () => [{ text: `${leaf} bfifo limit ${safeNumber(queueBytes(average), 1, 2 ** 31)}` }],
  };
}

/** The filter that takes all that arrives at a device. */
export function everythingFrom(device: string): string {
  return `filter add dev ${device} ingress protocol all u32 match u32 0 0`;
}

/** The device that what a network's guests send is led through. */
function detourOf({ uuid }: NetworkPlan): string {
  return safeInterface(`vnb${uuidDigits(uuid).slice(-12)}`);
}

/**
 * Makes a device that what arrives at another is led through, and gives the
 * lines that do so.
 */
export async function makeDetour(
  commands: Commands, { from, detour: device, mark }: { from: string; detour: string; mark: string }, direction: BandwidthDirection, average: number,
): Promise<Line[]> {
  // An IFB device's own queue of 32 packets would be what its HTB queue has by default.
  const lines = [`link add name ${device} txqueuelen 1000 type ifb`, `link set dev ${device} alias ${mark} up`];
  try {
    await commands.run('ip', ['-batch', '-'], { input: lines.map((line) => `${line}\n`).join('') });
  } catch (error) {
    // Made, but not marked: nobody but this call knows that it is ours.
    if (failedLine(error) === 2) await commands.run('ip', ['link', 'delete', 'dev', device, 'type', 'ifb']);
    throw error;
  }
  return [
    ...queueLines(device, direction, average),
    { text: `${everythingFrom(from)} flowid :1 action mirred egress redirect dev ${device}` },
  ];
}

/** In tc, `kbps` is 1000 bytes a second. */
export function rate(kilobytesPerSecond: number): string {
  return `${safeNumber(kilobytesPerSecond, 1, Number.MAX_SAFE_INTEGER)}kbps`;
}

/** In tc, `kb` is 1024 bytes. */
export function kibibytes(burst: number, average: number): string {
  const countable = Math.floor((average * 1000 * longestBurstSeconds) / 1024);
  return `${safeNumber(Math.min(burst, countable, largestBurst), 1, largestBurst)}kb`;
}

/**
 * What drops all that arrives too fast. At once may arrive without a loss as
 * much as in a second, unless there is a burst; so libvirt has it.
 */
export function policed({ burst }: BandwidthDirection, average: number): string {
  return `police rate ${rate(average)} burst ${kibibytes(burst ?? average, average)} mtu 64kb drop flowid :1`;
}

/** How many bytes a class may send in its turn; the numbers are libvirt's. */
export function quantum(average: number): string {
  return safeNumber(Math.min(Math.max(Math.floor((average * 1024) / 8 / 1500), 1), largestQuantum), 1, largestQuantum);
}

/** Half a second of traffic, but room for two of the largest packets at least. */
function queueBytes(average: number): number {
  return Math.min(Math.max(average * 500, 2 ** 17), 2 ** 30);
}

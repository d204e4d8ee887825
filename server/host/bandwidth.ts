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
      text: `${everythingFrom(bridge)} police rate ${rate(outbound.average)} burst ${policedBurst(outbound, outbound.average)} mtu 64kb drop flowid :1`,
      instead: () => makeDetour(commands, plan, outbound, outbound.average!),
    }]),
  ];
}

/** Removes what a network's limits left beside its bridge. What is on the bridge goes with it. */
export async function removeBandwidth(commands: Commands, plan: NetworkPlan): Promise<void> {
  const device = detourOf(plan);
  if (!(await readInterfaces()).includes(device)) return;
  const shown = JSON.parse(await commands.read('ip', ['-json', 'link', 'show', 'type', 'ifb']) || '[]') as { ifname?: string; ifalias?: string }[];
  if (!shown.some(({ ifname, ifalias }) => ifname === device && ifalias === renderAlias(plan))) return;
  await commands.run('ip', ['link', 'delete', 'dev', device, 'type', 'ifb']);
}

/** A queue that lets out `average`, and after a pause `burst` KiB at `peak`. */
function queueLines(device: string, { peak, burst }: BandwidthDirection, average: number): Line[] {
  const speed = `rate ${rate(average)} ceil ${rate(peak ?? average)}`;
  const share = `quantum ${quantum(average)}`;
  return [
    { text: `qdisc add dev ${device} root handle 1: htb default 2` },
    { text: `class add dev ${device} parent 1: classid 1:1 htb ${speed} ${share}` },
    { text: `class add dev ${device} parent 1:1 classid 1:2 htb ${speed}${burst === undefined ? '' : ` burst ${kibibytes(burst, average)}`} ${share}` },
    // Guests take turns. Without sfq the first to come is the first to go, and waits for half a second at most.
    {
      text: `qdisc add dev ${device} parent 1:2 handle 2: sfq perturb 10`,
      instead: async () => [{ text: `qdisc add dev ${device} parent 1:2 handle 2: bfifo limit ${safeNumber(queueBytes(average), 1, 2 ** 31)}` }],
    },
  ];
}

function everythingFrom(bridge: string): string {
  return `filter add dev ${bridge} ingress protocol all u32 match u32 0 0`;
}

/** The device that what a network's guests send is led through. */
function detourOf({ uuid }: NetworkPlan): string {
  return safeInterface(`vnb${uuidDigits(uuid).slice(-12)}`);
}

/** Makes that device, and gives the lines that lead through it. */
async function makeDetour(commands: Commands, plan: NetworkPlan, direction: BandwidthDirection, average: number): Promise<Line[]> {
  const device = detourOf(plan);
  // An IFB device's own queue of 32 packets would be what its HTB queue has by default.
  const lines = [`link add name ${device} txqueuelen 1000 type ifb`, `link set dev ${device} alias ${renderAlias(plan)} up`];
  try {
    await commands.run('ip', ['-batch', '-'], { input: lines.map((line) => `${line}\n`).join('') });
  } catch (error) {
    // Made, but not marked: nobody but this call knows that it is ours.
    if (failedLine(error) === 2) await commands.run('ip', ['link', 'delete', 'dev', device, 'type', 'ifb']);
    throw error;
  }
  return [
    ...queueLines(device, direction, average),
    { text: `${everythingFrom(safeInterface(plan.bridge))} flowid :1 action mirred egress redirect dev ${device}` },
  ];
}

/** In tc, `kbps` is 1000 bytes a second. */
function rate(kilobytesPerSecond: number): string {
  return `${safeNumber(kilobytesPerSecond, 1, Number.MAX_SAFE_INTEGER)}kbps`;
}

/** In tc, `kb` is 1024 bytes. */
function kibibytes(burst: number, average: number): string {
  const countable = Math.floor((average * 1000 * longestBurstSeconds) / 1024);
  return `${safeNumber(Math.min(burst, countable, largestBurst), 1, largestBurst)}kb`;
}

/** What may arrive at once without a loss: as much as in a second, as libvirt has it. */
function policedBurst({ burst }: BandwidthDirection, average: number): string {
  return kibibytes(burst ?? average, average);
}

/** How many bytes a class may send in its turn; the numbers are libvirt's. */
function quantum(average: number): string {
  return safeNumber(Math.min(Math.max(Math.floor((average * 1024) / 8 / 1500), 1), largestQuantum), 1, largestQuantum);
}

/** Half a second of traffic, but room for two of the largest packets at least. */
function queueBytes(average: number): number {
  return Math.min(Math.max(average * 500, 2 ** 17), 2 ** 30);
}

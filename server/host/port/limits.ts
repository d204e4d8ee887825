/**
 * Lives here: how much one guest may receive and send, as tc holds it on the
 * guest's own device. Does not know: what others of its network are promised.
 *
 * As on a network's bridge (bandwidth.ts), what the device transmits waits in
 * a queue on it, and what arrives at it is policed, or led through a queue on
 * a device made for that. A tap and the host's end of a pair transmit what the
 * guest receives; a macvtap transmits what the guest sends.
 */
import type { Bandwidth, BandwidthDirection } from '../../../shared/definition/index.js';
import type { PortPlan } from '../../driver/host.js';
import { everythingFrom, makeDetour, policed, queueLines, removeDetour } from '../bandwidth.js';
import { CommandError, type Commands } from '../command.js';
import { readInterfaces } from '../proc.js';
import { safeInterface, uuidDigits } from '../safe-text.js';
import { runLines, type Line } from '../tc.js';
import { together } from '../undo.js';
import { markOf } from './device.js';

/** A device on which a guest is held to its bandwidth. */
export interface Limited {
  device: string;
  /** Whether it transmits what the guest sends. */
  swapped: boolean;
}

/** A queue as `tc -json qdisc show` shows it. */
interface Qdisc {
  kind: string;
  handle?: string;
  options?: { default?: string };
}

interface Sides {
  transmits?: BandwidthDirection;
  arrives?: BandwidthDirection;
}

/** Whether a port has limits of its own. A promise alone is none. */
export function hasLimits({ bandwidth }: PortPlan): boolean {
  return bandwidth?.inbound?.average !== undefined || bandwidth?.outbound?.average !== undefined;
}

function sidesOf({ swapped }: Limited, bandwidth: Bandwidth | undefined): Sides {
  const limit = (direction: BandwidthDirection | undefined) => (direction?.average === undefined ? undefined : direction);
  const [inbound, outbound] = [limit(bandwidth?.inbound), limit(bandwidth?.outbound)];
  const [transmits, arrives] = swapped ? [outbound, inbound] : [inbound, outbound];
  return { ...(transmits === undefined ? {} : { transmits }), ...(arrives === undefined ? {} : { arrives }) };
}

/** Holds a guest to its bandwidth on a device that has no limits yet. @throws {CommandError} with tc's words */
export async function limit(commands: Commands, port: PortPlan, target: Limited): Promise<void> {
  const { transmits, arrives } = sidesOf(target, port.bandwidth);
  await runLines(commands, [...newQueue(target, transmits), ...newPolice(commands, port, target, arrives)]);
}

function newQueue({ device }: Limited, direction: BandwidthDirection | undefined): Line[] {
  return direction?.average === undefined ? [] : queueLines(safeInterface(device), direction, direction.average);
}

function newPolice(commands: Commands, port: PortPlan, { device }: Limited, direction: BandwidthDirection | undefined): Line[] {
  if (direction?.average === undefined) return [];
  const from = safeInterface(device);
  return [
    { text: `qdisc add dev ${from} clsact` },
    {
      text: `${policeFilter('add', from)} ${policed(direction, direction.average)}`,
      instead: () => makeDetour(commands, { from, detour: detourOf(port), mark: markOf(port) }, direction, direction.average!),
    },
  ];
}

/** The filter with a place of its own, so that it can be changed where it stands. */
function policeFilter(verb: 'add' | 'replace', device: string): string {
  return verb === 'add' ? everythingFrom(device) : `filter replace dev ${device} ingress protocol all pref 49152 handle 800::800 u32 match u32 0 0`;
}

/** The device that what arrives from a guest is led through. */
function detourOf({ uuid }: PortPlan): string {
  return safeInterface(`vnq${uuidDigits(uuid).slice(-12)}`);
}

/** Takes a guest's limits off a device, if they are there. What limits somebody else set is left alone. */
export async function unlimit(commands: Commands, port: PortPlan, target: Limited): Promise<void> {
  const sides = sidesOf(target, port.bandwidth);
  await together(...(['transmits', 'arrives'] as const).map((side) => (sides[side] === undefined ? undefined : removeSide(commands, port, target, side))));
}

async function removeSide(commands: Commands, port: PortPlan, { device }: Limited, side: keyof Sides): Promise<void> {
  if (side === 'arrives') await removeDetour(commands, detourOf(port), markOf(port));
  if (!(await readInterfaces()).includes(device)) return;
  const qdiscs = JSON.parse(await commands.read('tc', ['-json', 'qdisc', 'show', 'dev', safeInterface(device)]) || '[]') as Qdisc[];
  const ours = side === 'transmits'
    ? qdiscs.some(({ kind, handle, options }) => kind === 'htb' && handle === '1:' && options?.default === '0x2') : qdiscs.some(({ kind }) => kind === 'clsact');
  if (ours) await commands.run('tc', ['qdisc', 'delete', 'dev', device, side === 'transmits' ? 'root' : 'clsact']);
}

/**
 * Changes a guest's limits where they stand: a limit that is there before and
 * after is never gone in between. On failure it is as before.
 *
 * @throws {CommandError} with tc's words
 */
export async function relimit(commands: Commands, before: PortPlan, after: PortPlan, target: Limited): Promise<void> {
  const [old, wanted] = [sidesOf(target, before.bandwidth), sidesOf(target, after.bandwidth)];
  const detoured = (await readInterfaces()).includes(detourOf(after));
  const done: (keyof Sides)[] = [];
  try {
    for (const side of ['transmits', 'arrives'] as const) {
      done.unshift(side);
      await settle(commands, after, target, side, old[side], wanted[side], detoured);
    }
  } catch (error) {
    for (const side of done) await settle(commands, before, target, side, wanted[side], old[side], detoured, true).catch(() => undefined);
    throw error;
  }
}

/** Brings one side from one limit to another. `unsure` if it is not known which of both stands. */
async function settle(
  commands: Commands, port: PortPlan, target: Limited, side: keyof Sides,
  from: BandwidthDirection | undefined, to: BandwidthDirection | undefined, detoured: boolean, unsure = false,
): Promise<void> {
  if ((from ?? to) === undefined || (!unsure && JSON.stringify(from) === JSON.stringify(to))) return;
  if (from !== undefined && to?.average !== undefined) return runLines(commands, changeLines(port, target, side, to, to.average, detoured));
  await removeSide(commands, port, target, side);
  await runLines(commands, side === 'transmits' ? newQueue(target, to) : newPolice(commands, port, target, to));
}

function changeLines(port: PortPlan, { device }: Limited, side: keyof Sides, to: BandwidthDirection, average: number, detoured: boolean): Line[] {
  const name = safeInterface(device);
  if (side === 'transmits') return queueLines(name, to, average, 'change');
  return detoured ? queueLines(detourOf(port), to, average, 'change') : [{ text: `${policeFilter('replace', name)} ${policed(to, average)}` }];
}

/** Whether a failure is tc's: then the kernel lacks something. */
export function isTcFailure(error: unknown): error is CommandError {
  return error instanceof CommandError && error.tool === 'tc';
}

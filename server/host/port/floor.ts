/**
 * Lives here: what a guest is promised of its network's bandwidth: a class of
 * its own on the network's bridge, to which its MAC address leads. Does not
 * know: the guest's own limits.
 *
 *     1:1  the whole network (bandwidth.ts)
 *     1:2  what no guest is promised: the whole less all promises
 *     1:N  a promise; N is the class id that the rules gave the port
 *
 * What is promised already is read back from the kernel, so that it is right
 * whatever became of the daemon meanwhile.
 */
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import type { BandwidthDirection } from '../../../shared/definition/index.js';
import type { NetworkPlan, PortPlan } from '../../driver/host.js';
import { kibibytes, leafLine, quantum, rate } from '../bandwidth.js';
import type { Commands } from '../command.js';
import { readInterfaces } from '../proc.js';
import { safeInterface, safeMac, safeNumber } from '../safe-text.js';
import { runLines, type Line } from '../tc.js';

/** Class ids below are the network's own; above, a filter's number has no room for them. */
const firstClass = 3;
const lastClass = 2047;

/** Which guests are promised how much. */
export interface Floors {
  /** Promises a port what its plan says, if it says anything, or changes the promise. @throws {CommandError} with tc's words */
  promise(network: NetworkPlan, port: PortPlan): Promise<void>;
  /** Takes a promise back, if there is one. */
  release(network: NetworkPlan, port: PortPlan): Promise<void>;
}

/** The promise of a port in kilobytes a second; undefined if it has none. */
export function floorOf({ bandwidth }: PortPlan): number | undefined {
  return bandwidth?.inbound?.floor;
}

/** Opens it. On one bridge one thing is done after the other: each changes what is left for the rest. */
export function openFloors(commands: Commands): Floors {
  const turns = new Map<string, Promise<unknown>>();
  const inTurn = (bridge: string, step: () => Promise<void>): Promise<void> => {
    const turn = (turns.get(bridge) ?? Promise.resolve()).then(step);
    const settled = turn.catch(() => undefined).then(() => {
      if (turns.get(bridge) === settled) turns.delete(bridge);
    });
    turns.set(bridge, settled);
    return turn;
  };
  return {
    promise: async (network, port) => {
      const floor = floorOf(port);
      if (floor === undefined) return;
      const whole = wholeOf(network, port);
      await inTurn(network.bridge, async () => {
        const standing = await readFloors(commands, network.bridge);
        const id = classOf(port);
        await runLines(commands, renderPromise(network.bridge, whole, port, floor, standing.has(id)
          ? 'change' : 'add', sum(standing.set(id, floor))));
      });
    },
    release: async (network, port) => {
      if (port.bandwidth?.classId === undefined || network.bridge === '') return;
      const id = classOf(port);
      await inTurn(network.bridge, async () => {
        if (!(await readInterfaces()).includes(network.bridge)) return;
        const standing = await readFloors(commands, network.bridge);
        if (!standing.delete(id)) return;
        await runLines(commands, renderRelease(network.bridge, wholeOf(network, port), id, sum(standing)));
      });
    },
  };
}

/** What the network's guests may receive together. @throws {NetworkError} OPERATION_UNSUPPORTED if that is not limited */
function wholeOf({ name, definition }: NetworkPlan, port: PortPlan): BandwidthDirection & { average: number } {
  const inbound = definition.bandwidth?.inbound;
  if (inbound?.average !== undefined) return { ...inbound, average: inbound.average };
  throw new NetworkError(ErrorCode.OPERATION_UNSUPPORTED, `network '${name}' has no inbound bandwidth of which '${port.owner}' could be promised a part`);
}

function classOf({ bandwidth }: PortPlan): number {
  return Number(safeNumber(bandwidth?.classId ?? 0, firstClass, lastClass));
}

function sum(floors: ReadonlyMap<number, number>): number {
  return [...floors.values()].reduce((total, floor) => total + floor, 0);
}

/** The lines that promise a port a part of the whole, or change that. */
export function renderPromise(bridge: string, whole: BandwidthDirection & { average: number }, port: PortPlan, floor: number, verb: 'add' | 'change', promised: number): Line[] {
  const device = safeInterface(bridge);
  const minor = classOf(port).toString(16);
  const rest = { text: renderRest(device, whole, promised) };
  const own = { text: `class ${verb} dev ${device} parent 1:1 classid 1:${minor} htb rate ${rate(floor)} ceil ${rate(whole.peak ?? whole.average)} quantum ${quantum(floor)}` };
  if (verb === 'change') return [own, rest];
  return [own, leafLine(device, minor, floor), { text: `filter add ${filterTo(device, minor, port)}` }, rest];
}

/** The lines that take a promise back. */
function renderRelease(bridge: string, whole: BandwidthDirection & { average: number }, id: number, promised: number): Line[] {
  const device = safeInterface(bridge);
  const minor = id.toString(16);
  // One that was not made in full has no filter.
  return [
    { text: `filter delete ${filterOf(device, minor)}`, instead: async () => [] },
    { text: `class delete dev ${device} classid 1:${minor}` },
    { text: renderRest(device, whole, promised) },
  ];
}

/** What is left for guests that are promised nothing. */
function renderRest(device: string, { average, peak, burst }: BandwidthDirection & { average: number }, promised: number): string {
  const left = Math.max((peak ?? average) - promised, 1);
  return `class change dev ${device} parent 1:1 classid 1:2 htb rate ${rate(promised === 0 ? average : left)} ceil ${rate(peak ?? average)}`
    + `${burst === undefined ? '' : ` burst ${kibibytes(burst, average)}`} quantum ${quantum(average)}`;
}

function filterOf(device: string, minor: string): string {
  const handle = (0x800 + Number.parseInt(minor, 16)).toString(16);
  return `dev ${device} parent 1: protocol all prio 2 handle 800::${handle} u32`;
}

/** What is for a guest by its MAC address, which is 14 bytes before the packet. */
function filterTo(device: string, minor: string, port: PortPlan): string {
  const digits = safeMac(port.mac).replaceAll(':', '');
  return `${filterOf(device, minor)} match u16 0x${digits.slice(0, 4)} 0xffff at -14 match u32 0x${digits.slice(4)} 0xffffffff at -12 flowid 1:${minor}`;
}

async function readFloors(commands: Commands, bridge: string): Promise<Map<number, number>> {
  return parseFloors(await commands.read('tc', ['class', 'show', 'dev', safeInterface(bridge)]));
}

/**
 * The promises among the classes that `tc class show` tells (which of HTB's
 * tells no JSON): class ids, and kilobytes a second.
 */
export function parseFloors(text: string): Map<number, number> {
  const found = [...text.matchAll(/^class htb 1:([0-9a-f]+) parent 1:1 .*?\brate (\d+)([KMGT]?)bit /gm)];
  const unit = { '': 1, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };
  return new Map(found
    .map(([, minor = '', number, prefix = '']): [number, number] => [Number.parseInt(minor, 16), Math.round(Number(number) * unit[prefix as keyof typeof unit] / 8000)])
    .filter(([id]) => id >= firstClass));
}

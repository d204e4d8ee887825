/**
 * Lives here: the device of a port: what is known of one that is there, how
 * it is made and marked as ours, and how it goes. Does not know: kinds of
 * devices, what they are plugged into.
 */
import { access } from 'node:fs/promises';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import type { PortPlan } from '../../driver/host.js';
import { CommandError, type Commands } from '../command.js';
import { readInterfaces } from '../proc.js';
import { safeInterface, uuidDigits } from '../safe-text.js';
import { failedLine } from '../tc.js';

/** A device as it is. */
export interface Device {
  name: string;
  index: number;
  /** In bytes. */
  mtu: number;
  /** `tun`, `veth`, `bridge`, ...; empty if the kernel does not tell. */
  kind: string;
  /** Facts of its kind, as `ip -d -json` shows them. */
  facts: Record<string, unknown>;
  /** What it is plugged into. */
  master?: string;
  mark?: string;
}

interface Shown {
  ifname?: string;
  ifindex?: number;
  mtu?: number;
  ifalias?: string;
  master?: string;
  linkinfo?: { info_kind?: string; info_data?: Record<string, unknown> };
}

/** What marks a port's device as made by vnet, where `ip link` shows it. */
export function markOf({ uuid }: PortPlan): string {
  uuidDigits(uuid);
  return `vnet:${uuid}`;
}

/** A device of this namespace, or of another that is named by the path of its file; undefined if there is none of that name. */
export async function readDevice(commands: Commands, name: string, netns?: string): Promise<Device | undefined> {
  const argv = ['-d', '-json', 'link', 'show', 'dev', safeInterface(name)];
  try {
    if (netns !== undefined) return parseDevice(await commands.read('nsenter', [`--net=${netns}`, 'ip', ...argv]));
    if (!(await readInterfaces()).includes(name)) return undefined;
    return parseDevice(await commands.read('ip', argv));
  } catch (error) {
    if (error instanceof CommandError && error.words.includes('does not exist')) return undefined;
    throw error;
  }
}

/** The one device that `ip -d -json link show dev NAME` shows. */
export function parseDevice(text: string): Device | undefined {
  const [shown] = JSON.parse(text || '[]') as Shown[];
  if (shown?.ifname === undefined) return undefined;
  const { ifname, ifindex = 0, mtu = 0, ifalias, master, linkinfo } = shown;
  return {
    name: ifname, index: ifindex, mtu, kind: linkinfo?.info_kind ?? '', facts: linkinfo?.info_data ?? {},
    ...(master === undefined ? {} : { master }), ...(ifalias === undefined ? {} : { mark: ifalias }),
  };
}

/** Lines of `ip -batch`. */
export function ipLines(lines: readonly (readonly string[])[]): string {
  return lines.map((words) => `${words.join(' ')}\n`).join('');
}

/**
 * Runs lines of `ip -batch` of which the first makes a port's device and the
 * second marks it.
 *
 * @throws {NetworkError} SYSTEM_ERROR with the kernel's words
 */
export async function makeDevice(commands: Commands, port: PortPlan, device: string, lines: readonly (readonly string[])[]): Promise<void> {
  try {
    await commands.run('ip', ['-batch', '-'], { input: ipLines(lines) });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    // Made, but not marked: nobody but this call knows that it is ours.
    if (failedLine(error) === 2) await commands.run('ip', ['link', 'delete', 'dev', device]);
    const words = error.words.replace(/\s*Command failed -:\d+\s*/, '').replace(/^RTNETLINK answers: /, '');
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot make device '${device}' for '${port.owner}': ${words}`, {
      cause: error,
      ...(words === 'Network is down' ? { hint: 'the device of the LAN below it must be up: ip link set dev DEVICE up' } : {}),
    });
  }
}

/** Removes a port's device if it is there and vnet made it. */
export async function removeDevice(commands: Commands, port: PortPlan, name: string, netns?: string): Promise<void> {
  const device = await readDevice(commands, name, netns);
  if (device?.mark !== markOf(port)) return;
  const argv = ['link', 'delete', 'dev', safeInterface(name)];
  try {
    await (netns === undefined ? commands.run('ip', argv) : commands.run('nsenter', [`--net=${netns}`, 'ip', ...argv]));
  } catch (error) {
    if (await readDevice(commands, name, netns) !== undefined) throw error;
  }
}

/** Sets a port's device up or down if it is there and vnet made it; tells whether it is. */
export async function setMarked(commands: Commands, port: PortPlan, name: string, state: 'up' | 'down', netns?: string): Promise<boolean> {
  if (netns !== undefined && !await access(netns).then(() => true, () => false)) return false;
  if ((await readDevice(commands, name, netns))?.mark !== markOf(port)) return false;
  const argv = ['link', 'set', 'dev', safeInterface(name), state];
  await (netns === undefined ? commands.run('ip', argv) : commands.run('nsenter', [`--net=${netns}`, 'ip', ...argv]));
  return true;
}

/** @throws {NetworkError} SYSTEM_ERROR if it was not made for this port */
export function requireMark(port: PortPlan, device: Device): void {
  if (device.mark === markOf(port)) return;
  throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot make device '${device.name}' for '${port.owner}': File exists`, {
    hint: `an interface of that name is there already; look at it with: ip -d link show ${device.name}`,
  });
}

/** An error of a port that asks for what this host cannot do. */
export function refuse(port: PortPlan, what: string, hint?: string): NetworkError {
  return new NetworkError(ErrorCode.CONFIG_UNSUPPORTED, `the port of '${port.owner}' cannot be plugged in: ${what}`, hint === undefined ? {} : { hint });
}

/**
 * Lives here: devices that guests get whole: the virtual functions of network
 * cards, as sysfs shows them. Does not know: who has which.
 */
import { access, readdir, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { PciAddress } from '../../shared/definition/index.js';
import type { NetworkPlan } from '../driver/host.js';
import { safeInterface } from './safe-text.js';

/** A virtual function. */
export interface VirtualFunction {
  /** Absent while no driver of the host's has it. */
  interface?: string;
  address: PciAddress;
}

/** An address as the kernel writes it: 0000:01:10.0. */
export function formatPciAddress({ domain, bus, slot, function: part }: PciAddress): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${hex(part, 1)}`;
}

function parsePciAddress(text: string): PciAddress | undefined {
  const [, domain, bus, slot, part] = /^([0-9a-f]{4,}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/.exec(text) ?? [];
  if (domain === undefined || bus === undefined || slot === undefined || part === undefined) return undefined;
  const number = (digits: string) => Number.parseInt(digits, 16);
  return { domain: number(domain), bus: number(bus), slot: number(slot), function: number(part) };
}

/**
 * Checks that a PCI device is there and a virtual function.
 *
 * @param sysFolder where sysfs is: /sys
 * @throws {NetworkError} CONFIG_UNSUPPORTED naming the address
 */
export async function requireVirtualFunction(sysFolder: string, address: PciAddress, forWhom: string): Promise<void> {
  const name = formatPciAddress(address);
  const folder = join(sysFolder, 'bus/pci/devices', name);
  const there = (path: string) => access(path).then(() => true, () => false);
  if (await there(join(folder, 'physfn'))) return;
  throw new NetworkError(ErrorCode.CONFIG_UNSUPPORTED, await there(folder)
    ? `PCI device ${name} of ${forWhom} is no virtual function of a network card` : `there is no PCI device ${name} on this host, which ${forWhom} needs`, {
    hint: 'see the virtual functions there are with: ls -d /sys/bus/pci/devices/*/physfn',
  });
}

/**
 * The virtual functions of a network's physical one, in its own order.
 *
 * @throws {NetworkError} INTERNAL_ERROR if it has none, saying why
 */
export async function readVirtualFunctions(sysFolder: string, { name, definition }: NetworkPlan): Promise<VirtualFunction[]> {
  const pf = definition.forward?.pf;
  const refuse = (why: string, hint?: string) => new NetworkError(ErrorCode.INTERNAL_ERROR, `network '${name}' has no devices to give: ${why}`, hint === undefined ? {} : { hint });
  if (pf === undefined) throw refuse('its definition names no physical function');
  const folder = join(sysFolder, 'class/net', safeInterface(pf));
  const entries = await readdir(join(folder, 'device')).catch(() => undefined);
  if (entries === undefined) {
    const there = await access(folder).then(() => true, () => false);
    throw refuse(there ? `'${pf}' is no PCI device` : `there is no interface '${pf}' on this host`);
  }
  const numbers = entries.flatMap((entry) => /^virtfn(\d+)$/.exec(entry)?.[1] ?? []).map(Number).sort((a, b) => a - b);
  const found = await Promise.all(numbers.map((number) => readVirtualFunction(join(folder, 'device', `virtfn${number}`))));
  const known = found.filter((one) => one !== undefined);
  if (known.length === 0) throw refuse(`'${pf}' has no virtual functions`, `make some with: echo NUMBER > /sys/class/net/${pf}/device/sriov_numvfs`);
  return known;
}

async function readVirtualFunction(folder: string): Promise<VirtualFunction | undefined> {
  const address = parsePciAddress(basename(await readlink(folder).catch(() => '')));
  if (address === undefined) return undefined;
  const [device] = await readdir(join(folder, 'net')).catch(() => []);
  return { ...(device === undefined ? {} : { interface: device }), address };
}

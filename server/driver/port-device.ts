/**
 * Lives here: what a caller may ask vnet to plug in, and the name that its
 * device on the host gets. Does not know: the host; it checks again whatever
 * reaches a tool.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { isInterfaceName, type PortPlug } from '../../shared/definition/index.js';
import type { Attachment } from '../../shared/gen/vnet/v1/network_driver.js';
import type { PortAttachment } from './host.js';

/** What a device is called whose name is left to vnet. */
const defaultTemplate = 'vnet%d';

/** So many numbers are tried for a template. */
const highestNumber = 99_999;

/** The kernel's limit on the queues of a tap device. */
const mostQueues = 256;

/** An interface name stands for a directory of /proc/sys; these are others' there. */
const reservedNames = new Set(['all', 'default', 'lo']);

/** Interface names that are taken: by the host's own, or by ports that are known. */
export interface TakenNames {
  onHost: ReadonlySet<string>;
  byPorts: ReadonlySet<string>;
}

/**
 * The attachment as the host is told of it: checked, with a device that is
 * named in full; undefined if nothing is asked for.
 *
 * @throws {NetworkError} INVALID_ARG for a name, an account or a namespace that
 * is none; CONFIG_UNSUPPORTED for one that does not fit the plug; SYSTEM_ERROR
 * if the name is taken
 */
export function decideAttachment(asked: Attachment | undefined, plug: PortPlug, taken: TakenNames): PortAttachment | undefined {
  if (asked === undefined) return undefined;
  const given = [asked.tap, asked.veth, asked.existing].filter((one) => one !== undefined);
  if (given.length !== 1) throw invalid('an attachment is one of tap, veth and existing');
  if (plug.type === 'hostdev-pci') throw unfit('the guest gets a PCI device whole, and vnet has nothing to plug in');
  if (asked.existing !== undefined) {
    if (plug.type === 'direct') throw unfit(`the guests of this network sit on macvtap devices of ${plug.dev}, not on devices that are there`);
    return { type: 'existing', device: existingDevice(asked.existing.device, taken) };
  }
  if (asked.tap !== undefined) {
    const { device, owner, group, queues } = asked.tap;
    if (queues > mostQueues) throw invalid(`a tap device has at most ${mostQueues} queues, not ${queues}`);
    return { type: 'tap', device: freeDevice(device, taken), owner: account(owner), group: account(group), queues: Math.max(1, queues) };
  }
  const { netns, guestDevice, device } = asked.veth!;
  if (guestDevice !== '' && !isDeviceName(guestDevice)) throw notAName(guestDevice);
  return { type: 'veth', device: freeDevice(device, taken), netns: namespace(netns), guestDevice: guestDevice || 'eth0' };
}

/** An attachment as callers see it. */
export function showAttachment(attachment: PortAttachment | undefined): Attachment | undefined {
  switch (attachment?.type) {
    case 'tap': return { tap: { device: attachment.device, owner: attachment.owner, group: attachment.group, queues: attachment.queues } };
    case 'veth': return { veth: { device: attachment.device, netns: attachment.netns, guestDevice: attachment.guestDevice } };
    case 'existing': return { existing: { device: attachment.device } };
    default: return undefined;
  }
}

function existingDevice(device: string, { byPorts }: TakenNames): string {
  if (!isDeviceName(device)) throw notAName(device);
  if (byPorts.has(device)) throw new NetworkError(ErrorCode.SYSTEM_ERROR, `device '${device}' is another port's already`);
  return device;
}

/** The name asked for, or the first free one of its template. */
function freeDevice(asked: string, { onHost, byPorts }: TakenNames): string {
  const template = asked === '' ? defaultTemplate : asked;
  const isTaken = (name: string) => onHost.has(name) || byPorts.has(name);
  if (!template.includes('%d')) {
    if (!isDeviceName(template)) throw notAName(template);
    if (isTaken(template)) {
      throw new NetworkError(ErrorCode.SYSTEM_ERROR, `device '${template}' exists already`, {
        hint: 'leave the name out to get a free one, or plug in the device that is there as an existing one',
      });
    }
    return template;
  }
  if (!isDeviceName(template.replace('%d', '0'))) throw notAName(template);
  for (let number = 0; number <= highestNumber; number += 1) {
    const name = template.replace('%d', String(number));
    if (!isDeviceName(name)) break;
    if (!isTaken(name)) return name;
  }
  throw new NetworkError(ErrorCode.SYSTEM_ERROR, `no free name for a device: every number of '${template}' is taken`);
}

function isDeviceName(name: string): boolean {
  return isInterfaceName(name) && !name.startsWith('.') && !reservedNames.has(name);
}

/** A user or group by name or number; empty for the default. Whether it exists is for the host to see. */
function account(text: string): string {
  if (text === '' || /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/.test(text) || (/^[0-9]{1,10}$/.test(text) && Number(text) < 0xffff_ffff)) return text;
  throw invalid(`'${text}' is no account`);
}

/** A namespace's name below /run/netns, or the absolute path of its file. */
function namespace(text: string): string {
  const isName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/.test(text);
  const isPath = text.startsWith('/') && text.length <= 4096 && !/\p{Cc}/u.test(text) && !text.split('/').includes('..');
  if (isName || isPath) return text;
  throw invalid(`'${text}' is no network namespace: neither a name below /run/netns nor an absolute path`);
}

function notAName(name: string): NetworkError {
  return invalid(`'${name}' is no name for a device: it takes 1 to 15 letters, digits, '_', '.' and '-'`);
}

function invalid(message: string): NetworkError {
  return new NetworkError(ErrorCode.INVALID_ARG, message);
}

function unfit(message: string): NetworkError {
  return new NetworkError(ErrorCode.CONFIG_UNSUPPORTED, message);
}

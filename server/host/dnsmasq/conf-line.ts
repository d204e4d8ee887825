/**
 * Lives here: one line of dnsmasq's configuration, so that what is meant as a
 * value is read as that value. Does not know: which options there are.
 */
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { safeLine, safeWord } from '../safe-text.js';

/**
 * Gives `name=a,b,c`. The parts have been through {@link word}, {@link text}
 * or are ours.
 */
export function option(name: string, ...parts: (string | undefined)[]): string {
  return `${name}=${parts.filter((part) => part !== undefined).join(',')}`;
}

/** A part that is one word; refused if dnsmasq would take it apart. */
export const word = safeWord;

/**
 * A part that may be any text of one line: a path, the value of a TXT record.
 * Quoted where dnsmasq would read it as more than one part or as a comment;
 * within quotes it reads a backslash before a quote and before itself.
 */
export function text(value: string): string {
  if (/^[^\s",\\#]+$/.test(safeLine(value))) return value;
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/**
 * Options that a definition may not give: with these, whoever may define a
 * network could run programs as root, write or read any file, change the host's
 * firewall, or take dnsmasq away from the daemon. (The folder of TFTP is one
 * that a document may name anyway; dnsmasq reads it without rights.)
 */
const refusedOptions = new Set([
  'conf-dir', 'conf-file', 'conf-script', 'dhcp-luascript', 'dhcp-script', 'dhcp-scriptuser', 'script-arp', 'script-on-renewal',
  'dumpfile', 'dumpmask', 'log-facility', 'dhcp-leasefile', 'leasefile-ro', 'pid-file', 'user', 'group', 'servers-file', 'resolv-file',
  'addn-hosts', 'hostsdir', 'dhcp-hostsfile', 'dhcp-hostsdir', 'dhcp-optsfile', 'dhcp-optsdir', 'read-ethers', 'dnssec-timestamp', 'ipset', 'nftset', 'conntrack',
  'keep-in-foreground', 'no-daemon', 'enable-dbus', 'enable-ubus', 'test', 'version', 'help',
]);

/**
 * A line that a definition gives word for word.
 *
 * @throws {NetworkError} CONFIG_UNSUPPORTED if it is more than one option, or
 * one that only the daemon may set
 */
export function rawOption(line: string): string {
  const [, name] = /^\s*([a-z][a-z0-9-]*)\s*(?:=.*)?$/u.exec(safeLine(line)) ?? [];
  if (name === undefined) {
    throw new NetworkError(ErrorCode.CONFIG_UNSUPPORTED, `dnsmasq option '${line}' is not of the form name or name=value`);
  }
  if (refusedOptions.has(name)) {
    throw new NetworkError(ErrorCode.CONFIG_UNSUPPORTED, `dnsmasq option '${name}' cannot be set by a network`, {
      hint: 'options that run programs, name files of the host or belong to the daemon are refused',
    });
  }
  return line;
}

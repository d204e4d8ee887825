/**
 * Lives here: what may stand in a file name, a tool's line or a rule: the last
 * check before text leaves for the host, whatever was checked before. Does not
 * know: which tool.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { canonicalAddress } from '../../shared/address.js';

/** Directories of /proc/sys beside those of interfaces, which the kernel refuses as names too. */
const reservedNames = new Set(['.', '..', 'all', 'default']);

/**
 * Gives an interface name back if it is one that every tool reads as written.
 * The kernel takes more, such as quotes and wildcards.
 *
 * @throws {NetworkError} SYSTEM_ERROR, as libvirt when the kernel refuses one
 */
export function safeInterface(name: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(name) && !reservedNames.has(name)) return name;
  throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot use '${name}' as the name of an interface`, {
    hint: "an interface name has 1 to 15 characters: letters, digits, '_', '.' and '-'",
  });
}

/** Gives a text back if it is one line. @throws {NetworkError} INTERNAL_ERROR if it has control characters */
export function safeLine(text: string): string {
  // The line and paragraph separators are no control characters, but some programs end a line there.
  if (/[\p{Cc}\u2028\u2029]/u.test(text)) throw refuse(text, 'has control characters');
  return text;
}

/**
 * Gives a text back if it is one word that no tool takes apart.
 *
 * @throws {NetworkError} INTERNAL_ERROR if it is empty, or has blanks, quotes,
 * commas, slashes, `#` or backslashes
 */
export function safeWord(text: string): string {
  if (safeLine(text) === '' || /[\s,"'`#\\/;|]/.test(text)) throw refuse(text, 'is not one word');
  return text;
}

/** Gives an address back in its canonical form. @throws {NetworkError} INTERNAL_ERROR if it is none */
export function safeAddress(text: string): string {
  const parsed = canonicalAddress(text);
  if (parsed === undefined) throw refuse(text, 'is no address');
  return parsed.address;
}

/** Gives a subnet such as 192.168.122.0/24 back. @throws {NetworkError} INTERNAL_ERROR if it is none */
export function safeSubnet(text: string): string {
  const [address = '', prefix = ''] = text.split('/');
  return `${safeAddress(address)}/${safeNumber(Number(prefix), 0, 128)}`;
}

/** Gives a MAC address in its canonical form back. @throws {NetworkError} INTERNAL_ERROR if it is none */
export function safeMac(mac: string): string {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) return mac;
  throw new NetworkError(ErrorCode.INTERNAL_ERROR, `'${mac}' is no MAC address`);
}

/** Gives an account's or a group's name or number back. @throws {NetworkError} SYSTEM_ERROR if it can be neither */
export function safeAccount(name: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.@$-]{0,255}$/.test(name)) return name;
  throw new NetworkError(ErrorCode.SYSTEM_ERROR, `'${name}' is no name or number of an account`);
}

/** Gives a whole number's text. @throws {NetworkError} INTERNAL_ERROR if it is not in the range */
export function safeNumber(value: number, min: number, max: number): string {
  if (!Number.isInteger(value) || value < min || value > max) throw refuse(String(value), `is not from ${min} to ${max}`);
  return String(value);
}

/** The 32 hex digits of a canonical UUID. @throws {NetworkError} INTERNAL_ERROR if it is none */
export function uuidDigits(uuid: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) throw refuse(uuid, 'is no UUID');
  return uuid.replaceAll('-', '');
}

/**
 * A file's name for a network, different for different names: its own name
 * where that is harmless, with %XX for every other byte.
 */
export function fileStem(network: { name: string; uuid: string }): string {
  const escaped = [...Buffer.from(network.name, 'utf8')].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_.-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
  }).join('');
  // No name gives an '=', so this is nobody else's.
  return escaped.length <= 200 ? escaped : `uuid=${uuidDigits(network.uuid)}`;
}

function refuse(text: string, why: string): NetworkError {
  return new NetworkError(ErrorCode.INTERNAL_ERROR, `${JSON.stringify(text)} ${why} and is not handed to the host`);
}

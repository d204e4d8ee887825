/**
 * Lives here: every key of vnetd.toml: what it may be, and which part of the
 * configuration it sets. Does not know: defaults, files.
 */
import { patternProblem } from './identity/certificate-pattern.js';
import { limitKeys, whole } from './limits/limits.js';

/** Says what is allowed instead of a value, or gives it in the form the daemon uses. */
export type Check = (value: unknown) => { value: unknown } | { allowed: string };

const text: Check = (value) => (typeof value === 'string' && !/\p{Cc}/u.test(value) ? { value } : { allowed: 'a text on one line' });
const path: Check = (value) => (typeof value === 'string' && /^\/\P{Cc}*$/u.test(value) ? { value } : { allowed: 'an absolute path' });
const pathOrNone: Check = (value) => (value === '' ? { value } : path(value));
const yesNo: Check = (value) => (typeof value === 'boolean' ? { value } : { allowed: 'true or false' });
const port: Check = (value) => (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65535
  ? { value } : { allowed: 'a port number from 0 (any free one) to 65535' });
const account: Check = (value) => (typeof value === 'string' && /^([a-z_][a-z0-9_-]*\$?)?$/i.test(value)
  ? { value } : { allowed: 'the name of an account' });
const oneOf = (...words: string[]): Check => (value) =>
  (words.includes(value as string) ? { value } : { allowed: words.map((word) => `"${word}"`).join(', ') });
const optionalPath: Check = (value) => (value === '' ? { value } : path(value));
const patterns: Check = (value) => {
  if (!Array.isArray(value) || value.some((one) => typeof one !== 'string')) return { allowed: 'a list of patterns, such as ["CN=alice,O=Lab", "DNS:*.lab.example"]' };
  const wrong = (value as string[]).map((one) => [one, patternProblem(one)] as const).find(([, problem]) => problem !== undefined);
  return wrong === undefined ? { value } : { allowed: `a list of patterns, but of ${JSON.stringify(wrong[0])}: ${wrong[1]}` };
};

/** Every key of the file, by table: the place in Config that it sets, and what it may be. */
export const keys: Record<string, Record<string, [field: string, check: Check]>> = {
  '': { driver: ['driver', oneOf('host', 'test')] },
  unix: {
    socket: ['socket', path], group: ['group', account], readonly: ['readonly', yesNo], readonly_socket: ['readonlySocket', path],
    peer_credentials: ['peerCredentials', oneOf('auto', 'required', 'off')],
  },
  tcp: { enabled: ['enabled', yesNo], address: ['address', text], port: ['port', port] },
  tls: {
    enabled: ['enabled', yesNo], address: ['address', text], port: ['port', port], certificate: ['certificate', path],
    key: ['key', path], ca: ['ca', path], require_client_certificate: ['requireClientCertificate', yesNo],
    crl: ['crl', optionalPath], allowed: ['allowed', patterns], minimum_version: ['minimumVersion', oneOf('1.2', '1.3')],
  },
  dnsmasq: { user: ['user', account], resolv_conf: ['resolvConf', path] },
  firewall: { backend: ['backend', oneOf('auto', 'nftables', 'iptables', 'none')], accept_in_foreign: ['acceptInForeign', yesNo] },
  history: { keep: ['keep', whole(0, 1000)] },
  limits: limitKeys,
  metrics: { listen: ['listen', text], open_to_network: ['openToNetwork', yesNo] },
  log: { level: ['level', oneOf('debug', 'info', 'warn', 'error')] },
  audit: { file: ['file', pathOrNone], required: ['required', yesNo] },
};

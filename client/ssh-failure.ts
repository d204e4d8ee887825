/**
 * Lives here: what it means that an ssh has ended: from its exit code and its
 * words to an error that says what is wrong and what to do. Pure text. Does
 * not know: processes.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import type { SshUri } from '../shared/uri.js';

/** How an ssh ended. */
export interface SshEnd {
  /** Its exit code; absent if a signal ended it. */
  code?: number | undefined;
  /** What it said on standard error: its own words, the far side's, or both. */
  words: string;
}

/** One way to fail before anything runs on the far side. */
interface Cause {
  pattern: RegExp;
  code: ErrorCode;
  message(place: string, words: string): string;
  hint(uri: SshUri, words: string): string;
}

/** ssh's own exit code; any other is the far side's. */
const sshFailed = 255;
/** The shell's exit codes for a program that it cannot run, or cannot find. */
const notRunnable = 126;
const notFound = 127;
/** What vnet ends with when it does not know the words. */
const usage = 2;

/** In the order in which they are looked for: a changed key also fails the verification, and a jump host's words come before those of the way through it. */
const causes: readonly Cause[] = [
  {
    pattern: /HOST IDENTIFICATION HAS CHANGED|host key for .* has changed|host key .* was revoked|REVOKED HOST KEY/i,
    code: ErrorCode.AUTH_FAILED,
    message: (place, words) => `the host key of '${place}' has changed, so another host may answer in its place: ${words}`,
    hint: (uri) => `ask whoever runs it for its fingerprint; if the new key is right: ssh-keygen -R '${knownHostsName(uri)}'${fileOption(uri)}, then ssh ${target(uri)}`,
  },
  {
    pattern: /host key verification failed|host key is known for|no matching host key/i,
    code: ErrorCode.AUTH_FAILED,
    message: (place, words) => `the host key of '${place}' is not known: ${words}`,
    hint: (uri) => `log in once by hand, and compare the fingerprint: ssh ${target(uri)}`,
  },
  {
    pattern: /permission denied \(|too many authentication failures|no more authentication methods|authentication failed|no supported authentication methods|sign_and_send_pubkey/i,
    code: ErrorCode.AUTH_FAILED,
    message: (place, words) => `ssh was not let in at '${place}': ${words}`,
    hint: (uri) => uri.noTty
      ? `ssh may not ask for a password (no_tty): have a key in ssh-agent, or name one with keyfile=; see: ssh ${target(uri)}`
      : `see that this works without vnet: ssh ${target(uri)}`,
  },
  {
    pattern: /could not resolve hostname/i,
    code: ErrorCode.RPC,
    message: (place, words) => `unable to find the host of '${place}': ${words}`,
    hint: ({ host }) => `is '${host}' spelled right? it can be any name that ssh knows: a host's, or a Host of ~/.ssh/config`,
  },
  {
    pattern: /connection refused/i,
    code: ErrorCode.RPC,
    message: (place, words) => `unable to connect to '${place}' by ssh: ${words}`,
    hint: (uri) => `does sshd listen there, and on this port? ssh ${target(uri)}`,
  },
  {
    pattern: /timed out|no route to host|network is unreachable|host is down/i,
    code: ErrorCode.RPC,
    message: (place, words) => `unable to connect to '${place}' by ssh: ${words}`,
    hint: ({ host }) => `is '${host}' up, and reachable from here?`,
  },
  {
    pattern: /bad configuration option|bad owner or permissions|terminating, \d+ bad|unsupported option|missing argument|extra arguments/i,
    code: ErrorCode.SYSTEM_ERROR,
    message: (place, words) => `ssh's own configuration keeps it from connecting to '${place}': ${words}`,
    hint: (uri) => `see that this works without vnet: ssh ${target(uri)}`,
  },
];

/**
 * Says why an ssh that ended gave no connection.
 *
 * @returns AUTH_FAILED for keys of either side; RPC if there is no way there,
 * or no vnet or no daemon at its end; SYSTEM_ERROR if ssh cannot do its part
 */
export function explainSshEnd(uri: SshUri, { code, words }: SshEnd): NetworkError {
  const place = placeOf(uri);
  const said = essence(words) || (code === undefined ? 'ssh was ended by a signal' : `ssh ended with ${code} without a word`);
  if (code === sshFailed || code === undefined) {
    const cause = causes.find(({ pattern }) => pattern.test(words));
    return cause === undefined
      ? new NetworkError(ErrorCode.RPC, `ssh to '${place}' failed: ${said}`, { hint: `ssh says more with -v: ssh -v ${target(uri)} true` })
      : new NetworkError(cause.code, cause.message(place, said), { hint: cause.hint(uri, words) });
  }
  return farError(words) ?? farEnd(uri, code, said);
}

/** The error of the `vnet proxy` on the far side: the last line that it wrote. */
function farError(words: string): NetworkError | undefined {
  const line = words.split('\n').findLast((text) => text.startsWith('{"error":'));
  if (line === undefined) return undefined;
  try {
    const { error } = JSON.parse(line) as { error: { code: string; message: string; hints: string[] } };
    const code = ErrorCode[error.code as keyof typeof ErrorCode];
    if (typeof code !== 'number' || typeof error.message !== 'string') return undefined;
    return NetworkError.received(code, error.message, { hint: [error.hints].flat()[0] });
  } catch {
    return undefined;
  }
}

/** An end of the far side's that its vnet did not explain. */
function farEnd(uri: SshUri, code: number, said: string): NetworkError {
  const [place, program] = [placeOf(uri), uri.command.join(' ')];
  if (code === notFound || code === notRunnable) {
    return new NetworkError(ErrorCode.RPC, `the program '${program}' cannot be run on '${place}': ${said}`, {
      hint: `install vnetd there, or name the program: vnet+ssh://${uri.host}/${uri.driver}?command=/path/to/vnet (non-interactive shells often have a short PATH)`,
    });
  }
  if (code === usage) {
    return new NetworkError(ErrorCode.RPC, `the program '${program}' on '${place}' does not know 'proxy': ${said}`, { hint: 'it may be older than this one, or another program' });
  }
  return new NetworkError(ErrorCode.RPC, `'${program} proxy' on '${place}' ended with ${code}: ${said}`, { hint: `see what it says: ssh ${target(uri)} ${program} proxy` });
}

/** The error for an ssh that runs, while nothing that came over it made sense. */
export function explainNoise(uri: SshUri, words: string): NetworkError {
  return new NetworkError(ErrorCode.RPC, `what '${placeOf(uri)}' answers is not vnet's protocol: ${words}`, {
    hint: `a shell's start-up file there may print something: this must print 0: ssh ${target(uri)} true | wc -c`,
  });
}

/** The place as messages name it: `root@host`. */
export function placeOf({ user, host, port }: SshUri): string {
  return `${user === undefined ? '' : `${user}@`}${port === undefined ? host : `${bracketed(host)}:${port}`}`;
}

/** The arguments that lead a plain ssh to the same place, for hints. */
function target({ user, host, port, keyfile, knownHosts }: SshUri): string {
  return [
    ...(port === undefined ? [] : [`-p ${port}`]), ...(keyfile === undefined ? [] : [`-i '${keyfile}'`]),
    ...(knownHosts === undefined ? [] : [`-o UserKnownHostsFile='${knownHosts}'`]), `${user === undefined ? '' : `${user}@`}${host}`,
  ].join(' ');
}

function knownHostsName({ host, port }: SshUri): string {
  return port === undefined || port === 22 ? host : `[${host}]:${port}`;
}

function fileOption({ knownHosts }: SshUri): string {
  return knownHosts === undefined ? '' : ` -f '${knownHosts}'`;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** The lines that tell something: without frames, notices of what was remembered, and connections that were closed for what stands before. */
function essence(words: string): string {
  const lines = words.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !/^@+( |$)|^@ +WARNING|^\*\*|^Warning: Permanently added/.test(line));
  const telling = lines.length > 1 ? lines.filter((line) => !/^Connection closed by (UNKNOWN|.*)port 65535/i.test(line)) : lines;
  return telling.slice(-maxLines).join('; ').slice(0, maxCharacters);
}

const maxLines = 6;
const maxCharacters = 1000;

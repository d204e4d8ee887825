/**
 * Lives here: what the kernel says of the other end of a unix socket
 * (SO_PEERCRED). Does not know: accounts, what an identity is.
 *
 * Node has no way to ask. A small program does, which lives as long as the
 * daemon and is handed each socket through its channel: perl, because every
 * Debian and most others have it, needs no compiler, and can make the two
 * calls of the system. What it is told counts only as the descriptor that
 * comes with it, what it says is three numbers.
 */
import type { ChildProcess, SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { startConversation } from '../host/command.js';

/** Who opened the other end of a socket, when it did. */
export interface PeerCredentials {
  /** 0 if its process is not to be seen from here. */
  pid: number;
  uid: number;
  gid: number;
}

/** Asks the kernel. */
export interface PeerReader {
  /** @throws Error if there is no answer: then nobody may be taken for anybody */
  read(socket: Socket): Promise<PeerCredentials>;
  close(): void;
}

/** How long an answer may take, in milliseconds. It takes a fraction of one. */
const patienceMs = 2_000;

/** How soon after one the next program may be started, in milliseconds. */
const pauseMs = 1_000;

/**
 * Receives a descriptor with recvmsg at descriptor 3, asks for SO_PEERCRED,
 * answers, and tells Node that it may send the next. Ends when nobody is at
 * the other end any more; what a terminal sends to all does not concern it.
 */
const script = String.raw`
use strict; use POSIX ();
my %numbers = (
  x86_64 => 47, aarch64 => 212, riscv64 => 212, loongarch64 => 212, ppc64le => 342, ppc64 => 342, s390x => 372,
  armv6l => 297, armv7l => 297, i386 => 372, i486 => 372, i586 => 372, i686 => 372,
);
my $recvmsg = $numbers{(POSIX::uname())[4]} or exit 3;
$SIG{$_} = 'IGNORE' for qw(INT TERM HUP PIPE);
open(my $channel, '+<&=', 3) or exit 4;
my $long = length pack 'L!', 0;
for (;;) {
  my $ready = ''; vec($ready, 3, 1) = 1;
  select $ready, undef, undef, undef;
  my ($data, $control) = ("\0" x 65536, "\0" x 64);
  my $vector = pack 'P L!', $data, 65536;
  my $header = pack 'L! L! P L! P L! L!', 0, 0, $vector, 1, $control, 64, 0;
  my $got = syscall $recvmsg, 3, $header, 0x40000000;
  next if $got < 0 && ($!{EINTR} || $!{EAGAIN});
  exit if $got <= 0;
  next if (unpack 'L!6', $header)[5] < $long + 12;
  my (undef, $level, $type, $fd) = unpack 'L! i i i', $control;
  next unless $level == 1 && $type == 1;
  my $answer = '{"failed":true}';
  if (open my $socket, '+<&=', $fd) {
    my $found = getsockopt $socket, 1, 17;
    $answer = sprintf '{"pid":%d,"uid":%d,"gid":%d}', unpack 'i I I', $found if defined $found && length $found == 12;
    close $socket;
  }
  syswrite $channel, "$answer\n{\"cmd\":\"NODE_HANDLE_ACK\"}\n";
}
`;

/** A socket whose other end is asked for. */
interface Question {
  socket: Socket;
  resolve(credentials: PeerCredentials): void;
  reject(error: Error): void;
}

/**
 * Opens the way, and proves it with a socket whose other end is known.
 *
 * @throws {NetworkError} NO_SUPPORT, with why it cannot be had here
 */
export async function openPeerReader(): Promise<PeerReader> {
  const reader = new Program();
  try {
    const own = await reader.prove();
    if (own.pid !== process.pid || own.uid !== process.geteuid?.() || own.gid !== process.getegid?.()) throw new Error('the answer is wrong');
    return reader;
  } catch (error) {
    reader.close();
    throw new NetworkError(ErrorCode.NO_SUPPORT, `who is at the other end of a unix socket: ${(error as Error).message}`, {
      hint: error instanceof NetworkError ? error.hint : undefined, cause: error,
    });
  }
}

class Program implements PeerReader {
  #child: Promise<ChildProcess> | undefined;
  #started = -Infinity;
  #closed = false;
  readonly #waiting: Question[] = [];
  /** The one that is asked: one at a time, so that each answer is its own, and a socket that closes meanwhile is not sent. */
  #asked: Question | undefined;
  #asking = false;

  read(socket: Socket): Promise<PeerCredentials> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ socket, resolve, reject });
      if (!this.#asking) void this.#askAll();
    });
  }

  /** Asks for the other end of the program's own standard input: this process. */
  async prove(): Promise<PeerCredentials> {
    const child = await this.#running();
    return this.read(child.stdin as unknown as Socket);
  }

  close(): void {
    this.#closed = true;
    void this.#child?.then((child) => child.kill('SIGKILL'), () => undefined);
  }

  async #askAll(): Promise<void> {
    this.#asking = true;
    for (let question = this.#waiting.shift(); question !== undefined; question = this.#waiting.shift()) {
      const { socket, resolve, reject } = question;
      try {
        resolve(await this.#ask(await this.#running(), socket));
      } catch (error) {
        reject(error as Error);
      }
    }
    this.#asking = false;
  }

  #ask(child: ChildProcess, socket: Socket): Promise<PeerCredentials> {
    // The library would take the socket too, but then keeps a book about it in the server that accepted it.
    const { _handle: handle } = socket as unknown as { _handle?: SendHandle | null };
    if (handle === undefined || handle === null) return Promise.reject(new Error('the connection has ended'));
    return new Promise<PeerCredentials>((resolve, reject) => {
      this.#asked = { socket, resolve, reject };
      const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      const settled = () => { clearTimeout(timer); this.#asked = undefined; };
      this.#asked.resolve = (credentials) => { settled(); resolve(credentials); };
      this.#asked.reject = (error) => { settled(); reject(error); };
      child.send({}, handle, (error) => { if (error !== null) child.kill('SIGKILL'); });
    });
  }

  /** The program, started if it does not run: once a second at most. */
  async #running(): Promise<ChildProcess> {
    if (this.#child !== undefined) return this.#child;
    await delay(Math.max(0, this.#started + pauseMs - performance.now()));
    if (this.#closed) throw new Error('vnetd is stopping');
    this.#started = performance.now();
    this.#child = this.#start();
    this.#child.catch(() => { this.#child = undefined; });
    return this.#child;
  }

  async #start(): Promise<ChildProcess> {
    const child = await startConversation('perl', ['-e', script]);
    const over = (why: string) => {
      this.#child = undefined;
      this.#asked?.reject(new Error(why));
    };
    child.on('error', (error) => over(error.message));
    child.once('exit', (code, signal) => over(`the program that asks the kernel ended with ${signal ?? code}`));
    child.on('message', ({ pid, uid, gid }: Partial<PeerCredentials>) => {
      if (pid === undefined || uid === undefined || gid === undefined) this.#asked?.reject(new Error('the kernel does not tell'));
      else this.#asked?.resolve({ pid, uid, gid });
    });
    // It is no reason for this process to live on.
    child.unref();
    child.channel?.unref();
    (child.stdin as unknown as Socket).unref();
    return child;
  }
}

/**
 * Lives here: what a running command has at hand: its words and options, the
 * connection, and the ways to say something. Does not know: any command.
 */
import type { Readable, Writable } from 'node:stream';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { ConnectedDriver, ConnectOptions } from '../connect.js';
import type { Connection } from '../connection.js';
import type { Network } from '../network.js';
import type { Format } from './command.js';
import { escapeJson, escapeLine, escapeText } from './escape.js';
import { attempt, Exit, exitCodeOf, Failure, renderFailure } from './failure.js';
import { renderRecords, type OutputRecord } from './output.js';
import type { Invocation } from './parse.js';
import { didYouMean } from './suggest.js';

/** Where connections go if nobody says otherwise. */
export const defaultUri = 'vnet:///system';

/** What the program sees of the world. Tests give another. */
export interface Surroundings {
  /** The words after the program's name. */
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean; columns?: number };
  stderr: Writable;
  connect(uri: string, options: ConnectOptions): Promise<ConnectedDriver>;
  /** Aborted by Ctrl-C. */
  interrupted: AbortSignal;
  /** Whether Ctrl-C is for another program at the moment. */
  holdInterrupts(hold: boolean): void;
}

/** A command while it runs. */
export class Call {
  readonly surroundings: Surroundings;
  /** The URI that this command connects to. */
  readonly uri: string;
  readonly format: Format;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly #invocation: Invocation;
  readonly #records: OutputRecord[] = [];
  #opening: Promise<Connection> | undefined;
  #connection: Connection | undefined;
  #over = false;
  #endsByItself = false;
  #emitted = false;

  constructor(surroundings: Surroundings, invocation: Invocation) {
    this.surroundings = surroundings;
    this.#invocation = invocation;
    this.uri = this.value('connect') ?? (surroundings.env['VNET_URI'] || defaultUri);
    this.format = (this.value('output') ?? 'table') as Format;
    this.quiet = this.flag('quiet');
    this.verbose = this.flag('verbose');
  }

  /** Whether a switch was given. */
  flag(name: string): boolean {
    return this.#invocation.options.has(name);
  }

  /** The value of an option. */
  value(name: string): string | undefined {
    const value = this.#invocation.options.get(name);
    return value === true ? undefined : value;
  }

  /** The words of an argument. */
  words(name: string): readonly string[] {
    return this.#invocation.words.get(name) ?? [];
  }

  /** The one word of an argument that is required. */
  word(name: string): string {
    return this.words(name)[0] ?? '';
  }

  /** The connection, opened when first asked for. @throws {Failure} */
  connection(options: ConnectOptions = {}, uri = this.uri): Promise<Connection> {
    return this.#opening ??= attempt(`failed to connect to ${uri}`, () => this.#open(uri, options), { hint: this.#forgottenUri() });
  }

  /** Whether nothing stood in the way of the connection, if one was needed. */
  get reached(): boolean {
    return this.#opening === undefined || this.#connection !== undefined;
  }

  /** Finds a network by what was typed: its name or UUID. @throws {Failure} with a guess at what was meant */
  async network(nameOrUuid: string): Promise<Network> {
    const connection = await this.connection();
    try {
      return await connection.lookup(nameOrUuid);
    } catch (cause) {
      const hint = cause instanceof NetworkError && cause.code === ErrorCode.NO_NETWORK
        ? didYouMean(nameOrUuid, await connection.listAllNetworks().then((all) => all.map(({ network }) => network.name), () => [])) : undefined;
      throw new Failure(`failed to get network '${nameOrUuid}'`, { cause, hint });
    }
  }

  /** Gives a result: text for people, a record for programs. Untrusted text must be escaped already. */
  print(text: string, record?: OutputRecord): void {
    if (record !== undefined) this.#records.push(record);
    if (this.format === 'table') this.surroundings.stdout.write(text);
  }

  /**
   * Gives one of many results at once: text for people, for programs a line of
   * JSON. Waits if the reader is slow.
   */
  async emit(text: string, record: OutputRecord): Promise<void> {
    this.#emitted = true;
    const { stdout } = this.surroundings;
    const line = this.format === 'json' ? `${escapeJson(JSON.stringify(record))}\n` : text;
    if (stdout.write(line)) return;
    await new Promise<void>((resolve) => {
      for (const event of ['drain', 'error', 'close']) stdout.once(event, resolve);
    });
  }

  /**
   * For a command without an end of its own: Ctrl-C is its end, and no
   * failure; a reader that has gone, too.
   */
  endsByItself(): AbortSignal {
    this.#endsByItself = true;
    this.#emitted = true;
    const gone = new AbortController();
    this.surroundings.stdout.once('error', () => gone.abort());
    return AbortSignal.any([gone.signal, this.surroundings.interrupted]);
  }

  /** Whether Ctrl-C is the command's own affair. */
  get handlesInterrupts(): boolean {
    return this.#endsByItself;
  }

  /** Says in a line what was done; -q drops the words, never the record. */
  announce(sentence: string, record?: OutputRecord): void {
    this.print(this.quiet ? '' : `${escapeLine(sentence)}\n`, record);
  }

  /** Says something beside the result, in a line on standard error; in JSON the records say it. */
  warn(sentence: string, kind: 'warning' | 'hint' = 'warning'): void {
    if (this.format !== 'json' && this.format !== 'yaml') this.surroundings.stderr.write(`${kind}: ${escapeText(sentence)}\n`);
  }

  /** Says why something failed, for a command that goes on or asks what to do. */
  report(error: unknown): void {
    this.surroundings.stderr.write(renderFailure(error, this.format, this.verbose));
  }

  /**
   * Does one thing to each of several targets, side by side, and reports in
   * the order in which they were named.
   *
   * @throws {Failure} if all failed for one reason, its error; else PARTLY,
   * after every failure is reported
   */
  async each<Target>(targets: readonly Target[], work: (target: Target) => Promise<() => void>): Promise<void> {
    const jobs = targets.map((target) => work(target).then((say) => ({ say }), (error: unknown) => ({ error })));
    if (jobs.length === 1) {
      const outcome = await jobs[0]!;
      if ('error' in outcome) throw outcome.error;
      outcome.say();
      return;
    }
    const codes = new Set<Exit>();
    for (const job of jobs) {
      const outcome = await job;
      if ('say' in outcome) outcome.say();
      else this.report(outcome.error);
      codes.add('say' in outcome ? Exit.DONE : exitCodeOf(outcome.error));
    }
    const [code = Exit.DONE, ...others] = codes;
    if (code !== Exit.DONE || others.length > 0) throw new Failure('', { exit: others.length > 0 ? Exit.PARTLY : code });
  }

  /** Writes what programs read, once all of it is known: nothing if nothing was done. */
  async flush(failed: boolean): Promise<void> {
    if (this.format === 'table' || ((failed || this.#emitted) && this.#records.length === 0)) return;
    this.surroundings.stdout.write(await renderRecords(this.#records, this.format));
  }

  /** Lets go of the connection. Does not wait for one that is still being opened. */
  async close(): Promise<void> {
    this.#over = true;
    await this.#connection?.close();
  }

  async #open(uri: string, options: ConnectOptions): Promise<Connection> {
    const { Connection } = await import('../connection.js');
    const connected = await this.surroundings.connect(uri, { readonly: this.flag('readonly'), ...this.#timeout(), ...this.#token(), ...options });
    // Nobody waits for it any more.
    if (this.#over) await connected.close();
    return this.#connection = new Connection(connected);
  }

  #timeout(): { timeoutMs?: number } {
    const seconds = this.value('timeout');
    return seconds === undefined ? {} : { timeoutMs: Number(seconds) * 1000 };
  }

  #token(): { tokenFile?: string } {
    const tokenFile = this.surroundings.env['VNET_TOKEN_FILE'];
    return tokenFile === undefined || tokenFile === '' ? {} : { tokenFile };
  }

  /** People who come from virsh have its variable set. */
  #forgottenUri(): string | undefined {
    const { LIBVIRT_DEFAULT_URI: libvirt, VNET_URI: ours } = this.surroundings.env;
    return libvirt !== undefined && !ours && this.value('connect') === undefined
      ? 'LIBVIRT_DEFAULT_URI is for virsh; vnet reads VNET_URI' : undefined;
  }
}

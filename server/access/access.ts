/**
 * Lives here: who may do what: the access table in force, and the decisions on
 * a call before its request is read. Does not know: how a call arrives, what a
 * network is, the table's text.
 */
import { unwatchFile, watchFile, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { NetworkDriver } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Call } from '../calls.js';
import type { Config } from '../config.js';
import type { Identity, ListenerKind } from '../connections.js';
import type { Log } from '../log.js';
import { guardDriver, type GuardedDriver } from './guard.js';
import { requirements } from './permissions.js';
import { refuseChanges } from './readonly.js';
import { denied } from './refusal.js';
import { isAbout, Rights, type Entry } from './rights.js';
import { loadTable } from './table.js';

/** How often the table's file is looked at, and for how long it is left alone after a change: it may be half written. In milliseconds. */
const lookMs = 1000;
const settleMs = 250;

/** Who makes a call, and by which way. */
export type Asker = Pick<Call, 'identity' | 'connection'>;

/** The access table in force. */
export class Access {
  #entries: readonly Entry[];
  #rights = new WeakMap<Identity, Map<ListenerKind, Rights>>();
  readonly #read: () => Promise<Entry[]>;
  /** One reading after the other: the last one asked for decides. */
  #loaded: Promise<void> = Promise.resolve();

  /** @param read reads the table anew; throws if it cannot be used */
  constructor(entries: readonly Entry[], read: () => Promise<Entry[]>) {
    this.#entries = entries;
    this.#read = read;
  }

  /**
   * Reads the table again, which then holds for every call that begins, and for
   * every event that a stream tells.
   *
   * @throws {ConfigError} if it cannot be used; then the last good one stays in force
   */
  reload(): Promise<void> {
    const loaded = this.#loaded.then(async () => {
      this.#entries = await this.#read();
      this.#rights = new WeakMap();
    });
    this.#loaded = loaded.catch(() => undefined);
    return loaded;
  }

  /** What a caller may do, by the table in force. */
  rightsOf({ identity, connection: { listener } }: Asker): Rights {
    const known = this.#rights.get(identity);
    const rights = known?.get(listener) ?? new Rights(this.#entries.filter(({ who }) => isAbout(who, identity, listener)));
    if (known === undefined) this.#rights.set(identity, new Map([[listener, rights]]));
    else known.set(listener, rights);
    return rights;
  }

  /**
   * Refuses a call that its caller may make on no network at all.
   *
   * @throws {NetworkError} OPERATION_DENIED, ACCESS_DENIED
   */
  authorize(call: Pick<Call, 'identity' | 'connection' | 'procedure'>): void {
    refuseChanges(call);
    const { service, key, name } = call.procedure;
    const requirement = requirements[service]?.[key];
    const permission = requirement === undefined ? 'admin' : this.rightsOf(call).missingEverywhere(requirement.needs);
    if (permission !== undefined) throw denied({ procedure: name, permission, who: call.identity.name });
  }

  /**
   * A driver as far as the caller of this call may use it. Who may do everything
   * gets the driver itself; but a stream may outlast its caller's rights.
   */
  guard(driver: GuardedDriver, call: Call): NetworkDriver {
    if (!call.procedure.responseStream && this.rightsOf(call).everything) return driver;
    return guardDriver(driver, { who: call.identity.name, rights: () => this.rightsOf(call) });
  }
}

/** The access table of a daemon, followed. */
export interface OpenAccess {
  access: Access;
  /** Reads it again, and says in the log what came of it. */
  reread(): void;
  close(): void;
}

/** Where the table of a daemon is. */
export function accessFile({ folders }: Pick<Config, 'folders'>): string {
  return join(folders.etc, 'access.toml');
}

/**
 * Opens the access table of a daemon. A change of its file takes effect by
 * itself within two seconds.
 *
 * @throws {ConfigError} if it cannot be used
 */
export async function openAccess(config: Pick<Config, 'folders' | 'unix'>, log: Log): Promise<OpenAccess> {
  const file = accessFile(config);
  const read = () => loadTable(file, config.unix.group);
  const access = new Access(await read(), read);
  const reread = () => void access.reload().then(
    () => log.info({ file }, 'the access table was read again'),
    (error: unknown) => log.error({ err: error }, 'the access table cannot be used; the last good one stays in force'),
  );
  // Of a file that is not there it tells once, as if that were news.
  const changed = (now: Stats, before: Stats) => { if (now.ctimeMs !== before.ctimeMs || now.ino !== before.ino) setTimeout(reread, settleMs).unref(); };
  watchFile(file, { interval: lookMs, persistent: false }, changed);
  return { access, reread, close: () => unwatchFile(file, changed) };
}

/**
 * Lives here: who may do what: the access table in force, and the decisions on
 * a call before its request is read. Does not know: how a call arrives, what a
 * network is, the table's text.
 */
import { join } from 'node:path';
import type { NetworkDriver } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Call } from '../calls.js';
import type { Config } from '../config.js';
import type { Identity, ListenerKind } from '../connections.js';
import type { Reloads } from '../reload.js';
import { guardDriver, type GuardedDriver } from './guard.js';
import { requirements } from './permissions.js';
import { refuseChanges } from './readonly.js';
import { denied } from './refusal.js';
import { isAbout, Rights, type Entry } from './rights.js';
import { loadTable } from './table.js';

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

/** Where the table of a daemon is. */
export function accessFile({ folders }: Pick<Config, 'folders'>): string {
  return join(folders.etc, 'access.toml');
}

/**
 * Opens the access table of a daemon, which is read again when it has changed.
 *
 * @throws {ConfigError} if it cannot be used
 */
export async function openAccess(config: Pick<Config, 'folders' | 'unix'>, reloads: Reloads): Promise<Access> {
  const file = accessFile(config);
  const read = () => loadTable(file, config.unix.group);
  const access = new Access(await read(), read);
  reloads.onReload({ name: 'the access table', paths: () => [file], reload: () => access.reload() });
  return access;
}

/**
 * Lives here: what the rules may ask of a memory that outlives the daemon.
 * Does not know: files.
 */

import type { Revised, Stamp, Version } from './history.js';
import type { PortAttachment } from './host.js';

/** A file that cannot be used. */
export interface DamagedFile {
  path: string;
  /** The name of the network whose saved definition it should be; absent if it should be something else. */
  network?: string;
  /** Why, in a sentence. */
  why: string;
  /** What to do about it; absent if nothing. */
  advice?: string;
}

/** A saved definition as the store found it. */
export interface SavedDefinition {
  /** The name it is filed under. */
  name: string;
  xml: string;
  /** Its revision, if the store knows it. */
  stamp?: Stamp;
  autostart: boolean;
}

/**
 * What the daemon does to a network on the host, recorded before the host is
 * touched and after, so that a daemon that was killed finds out what to adopt
 * and what to undo.
 */
export interface LiveRecord {
  uuid: string;
  name: string;
  /** The bridge's name; empty if the network has none. */
  bridge: string;
  /**
   * starting and stopping: undo what stands; running: adopt it; updating: what
   * stands is between `xml` and `next`: bring it back to `xml`.
   */
  state: 'starting' | 'running' | 'stopping' | 'updating';
  /** The live definition. */
  xml: string;
  /** While updating: what it is changed to. */
  next?: string;
  /** What is to be saved as well, because it belongs to the same change: save it. */
  saved?: string;
  /** What kind of change that is, for the history; `update` if absent. */
  cause?: string;
}

/**
 * A port of a network, kept as long as the network is known. Recorded before
 * the host is touched and after.
 */
export interface PortRecord {
  uuid: string;
  /** The network's UUID. */
  network: string;
  /** What the network decided: the port's XML. */
  xml: string;
  /** What vnet plugs in, if it does. */
  attachment?: PortAttachment;
  /** adding and removing: undo what stands of it; unplugged: plug it in when the network starts. */
  state: 'adding' | 'plugged' | 'unplugged' | 'removing';
  /** What it is being changed to: what stands is between the two, bring it back to `xml`. */
  next?: string;
}

/** A memory for definitions (which outlive the host) and live records (which outlive the daemon). */
export interface Store {
  /**
   * Everything the store holds. What cannot be read is left where it is (see
   * `damaged`); it does not hide the rest.
   */
  load(): Promise<{
    /** No definition was ever saved here: the store is new. */
    fresh: boolean;
    /** Autostart has been done since the host booted. */
    autostarted: boolean;
    saved: SavedDefinition[];
    live: LiveRecord[];
    ports: PortRecord[];
  }>;

  /** What is filed under this name could be read, but is no definition that can be used. */
  reject(name: string, why: string): void;

  /** What could not be used and has not been replaced or removed since, ordered by path. */
  damaged(): Promise<DamagedFile[]>;

  /**
   * Saves a definition, durably, in place of what is filed under the name,
   * which goes to the history of its UUID first.
   *
   * What is filed there and could not be used goes to no history: it is kept
   * beside the new one.
   *
   * @param version which revision of which network it is; without it nothing is kept
   * @returns where that is kept now; undefined if there was none
   */
  saveDefinition(name: string, xml: string, version?: Revised): Promise<string | undefined>;

  /** The earlier versions of a definition that are kept, in any order. Those that were cut off on their way may be among them. */
  history(uuid: string): Promise<Version[]>;

  /** Removes a definition, which goes to the history of its UUID first, and its autostart mark. Removing nothing is no error. */
  removeDefinition(name: string, uuid?: string): Promise<void>;

  /** Sets or removes the autostart mark of a saved definition. */
  setAutostart(name: string, autostart: boolean): Promise<void>;

  /** Keeps a live record in place of the one of the same UUID. */
  saveLive(record: LiveRecord): Promise<void>;

  /** Removes a live record. Removing nothing is no error. */
  removeLive(uuid: string): Promise<void>;

  /** Keeps a port's record in place of the one of the same UUID. */
  savePort(record: PortRecord): Promise<void>;

  /** Removes a port's record. Removing nothing is no error. */
  removePort(network: string, uuid: string): Promise<void>;

  /** Remembers until the next boot that autostart is done. */
  markAutostarted(): Promise<void>;
}

/**
 * Lives here: the rules of networks, said once more and as briefly as
 * possible: which call is legal when, what it answers and what comes of it.
 * While a daemon is killed an answer can be lost; then all that may be is kept
 * in mind. Does not know: clients, hosts, vnet's own code.
 */
import { describeContents, type Contents, type Site } from './sites.js';

/** A call on one of a client's networks. */
export type Operation =
  | { kind: 'define' | 'create'; site: Site; contents: Contents }
  | { kind: 'start' | 'undefine' | 'look' | 'lookup' | 'dump' | 'dump-saved' | 'ports'; site: Site }
  | { kind: 'destroy'; site: Site; force: boolean }
  | { kind: 'autostart'; site: Site; on: boolean }
  | { kind: 'title'; site: Site; title: string; live: boolean; config: boolean }
  | { kind: 'add-host' | 'delete-host'; site: Site; host: number; live: boolean; config: boolean }
  /** With a namespace in which the guest is, else with a tap. */
  | { kind: 'attach'; site: Site; port: string; netns?: string }
  | { kind: 'detach'; site: Site; port: string }
  | { kind: 'bad-xml' | 'foreign-uuid' | 'foreign-bridge' | 'stale-revision'; site: Site };

/** What is true of a network that is there. */
export interface Known {
  saved?: Contents | undefined;
  live?: Contents | undefined;
  autostart: boolean;
  /** The UUIDs of its ports, in rising order. */
  ports: readonly string[];
}

/** The networks of one client, by name. One that is not in it is not there. */
export type World = Readonly<Record<string, Known>>;

/** What comes of a call: the answer (`ok`, `ok: ...` or the name of an error), and how things are then. */
export interface Outcome {
  answer: string;
  world: World;
}

/** What a call comes to in a world. */
export function outcomeOf(world: World, operation: Operation): Outcome {
  const { site } = operation;
  const known = world[site.name];
  const stays = (answer: string): Outcome => ({ answer, world });
  const becomes = (next: Known): Outcome => ({ answer: 'ok', world: withNetwork(world, site.name, next) });
  switch (operation.kind) {
    case 'define': return becomes({ autostart: false, ports: [], ...known, saved: operation.contents });
    case 'bad-xml': return stays('XML_ERROR');
    case 'foreign-uuid': return stays('OPERATION_FAILED');
    case 'foreign-bridge': return stays('INTERNAL_ERROR');
    case 'stale-revision': return stays('OPERATION_INVALID');
    case 'create':
      if (known?.live !== undefined) return stays('OPERATION_INVALID');
      if (overlaps(world, site)) return stays('INTERNAL_ERROR');
      return becomes({ autostart: false, ports: [], ...known, live: operation.contents });
  }
  if (known === undefined) return stays('NO_NETWORK');
  switch (operation.kind) {
    case 'start':
      if (known.live !== undefined) return stays('OPERATION_INVALID');
      return overlaps(world, site) ? stays('INTERNAL_ERROR') : becomes({ ...known, live: known.saved });
    case 'destroy':
      if (known.live === undefined || (known.ports.length > 0 && !operation.force)) return stays('OPERATION_INVALID');
      return becomes({ ...known, live: undefined });
    case 'undefine':
      return known.saved === undefined ? stays('OPERATION_INVALID') : becomes({ ...known, saved: undefined, autostart: false });
    case 'autostart':
      return known.saved === undefined ? stays('OPERATION_INVALID') : becomes({ ...known, autostart: operation.on });
    case 'title': return changed(known, operation, (contents) => ({ ...contents, title: operation.title }), stays, becomes);
    case 'add-host': return changed(known, operation, (contents) => addHost(contents, operation.host), stays, becomes);
    case 'delete-host': return changed(known, operation, (contents) => deleteHost(contents, operation.host), stays, becomes);
    case 'attach':
      if (known.live === undefined) return stays('OPERATION_INVALID');
      return known.ports.includes(operation.port) ? stays('NETWORK_PORT_EXIST') : becomes({ ...known, ports: [...known.ports, operation.port].sort() });
    case 'detach':
      if (!known.ports.includes(operation.port)) return stays('NO_NETWORK_PORT');
      return becomes({ ...known, ports: known.ports.filter((port) => port !== operation.port) });
    case 'lookup': return stays(`ok: ${site.uuid}`);
    case 'look': return stays(`ok: ${describeState(known)}`);
    case 'dump': return stays(`ok: ${describeContents(known.live ?? known.saved)}`);
    case 'dump-saved': return stays(`ok: ${describeContents(known.saved ?? known.live)}`);
    case 'ports': return known.live === undefined && known.ports.length === 0 ? stays('OPERATION_INVALID') : stays(`ok: ${known.ports.join(' ')}`);
  }
}

/** What a table shows of a network. */
export function describeState({ saved, live, autostart }: Known): string {
  return `${live === undefined ? 'inactive' : 'active'} ${saved === undefined ? 'transient' : 'persistent'}${autostart ? ' autostart' : ''}`;
}

/** A network that is neither active nor saved is not there, nor are its ports. */
function withNetwork(world: World, name: string, next: Known): World {
  const { [name]: _, ...others } = world;
  return next.live === undefined && next.saved === undefined ? others : { ...others, [name]: next };
}

/** Whether another of the client's networks is up that has the same subnet. */
function overlaps(world: World, { neighbour }: Site): boolean {
  return neighbour !== undefined && world[neighbour]?.live !== undefined;
}

/** A change of the definitions that a call names, or of the one that is in force; all of it, or nothing. */
function changed(
  known: Known, { live, config }: { live: boolean; config: boolean }, change: (contents: Contents) => Contents | undefined,
  stays: (answer: string) => Outcome, becomes: (next: Known) => Outcome,
): Outcome {
  const named = live || config ? { live, config } : { live: known.live !== undefined, config: known.live === undefined };
  if ((named.live && known.live === undefined) || (named.config && known.saved === undefined)) return stays('OPERATION_INVALID');
  const next = { ...known, ...(named.config ? { saved: change(known.saved!) } : {}), ...(named.live ? { live: change(known.live!) } : {}) };
  return (named.config && next.saved === undefined) || (named.live && next.live === undefined) ? stays('OPERATION_INVALID') : becomes(next);
}

function addHost(contents: Contents, host: number): Contents | undefined {
  return contents.hosts.includes(host) ? undefined : { ...contents, hosts: [...contents.hosts, host] };
}

function deleteHost(contents: Contents, host: number): Contents | undefined {
  return contents.hosts.includes(host) ? { ...contents, hosts: contents.hosts.filter((one) => one !== host) } : undefined;
}

/** What may be: one world, or several while answers are lost. */
export class Model {
  private worlds: World[] = [{}];

  /** One of the worlds that may be. */
  get likely(): World {
    return this.worlds[0]!;
  }

  /** Whether something holds in one of the worlds that may be. */
  mayBe(holds: (world: World) => boolean): boolean {
    return this.worlds.some(holds);
  }

  /** Takes note of an answer. @returns what would have been right, if it is wrong */
  answered(operation: Operation, answer: string): string | undefined {
    const outcomes = this.worlds.map((world) => outcomeOf(world, operation));
    const right = outcomes.filter((outcome) => outcome.answer === answer);
    if (right.length === 0) return outcomes.map((outcome) => outcome.answer).join(' or ');
    this.keep(right.map(({ world }) => world));
    return undefined;
  }

  /** Takes note that the answer was lost: the call may have been done or not. */
  lost(operation: Operation): void {
    this.keep([...this.worlds, ...this.worlds.map((world) => outcomeOf(world, operation).world)]);
  }

  /** Keeps the worlds in which nothing differs from what was seen. @returns what differs from the one that comes closest, if all differ */
  settle(differences: (world: World) => string[]): string[] {
    const found = this.worlds.map((world) => ({ world, different: differences(world) }));
    const same = found.filter(({ different }) => different.length === 0);
    if (same.length === 0) return found.sort((a, b) => a.different.length - b.different.length)[0]!.different;
    this.keep(same.map(({ world }) => world));
    return [];
  }

  private keep(worlds: World[]): void {
    this.worlds = [...new Map(worlds.map((world) => [JSON.stringify(world), world])).values()];
  }
}

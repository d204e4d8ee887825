/**
 * Lives here: which call a client makes next. Does not know: what comes of it.
 */
import type { Operation, World } from './model.js';
import type { Random } from './random.js';
import type { Site } from './sites.js';

type Kind = Operation['kind'];

/** How often each kind of call is made, beside the others. */
const weights: Record<Kind, number> = {
  define: 12, create: 6, start: 14, destroy: 14, undefine: 7, autostart: 5, title: 5, 'add-host': 7, 'delete-host': 5, attach: 6, detach: 6,
  look: 4, lookup: 3, dump: 4, 'dump-saved': 3, ports: 3, 'bad-xml': 1, 'foreign-uuid': 1, 'foreign-bridge': 1, 'stale-revision': 1,
};
const kinds = Object.entries(weights).flatMap(([kind, weight]) => Array.from({ length: weight }, () => kind as Kind));

/** The last numbers of the addresses of DHCP hosts. */
const hosts = [11, 12, 13, 14] as const;

/**
 * Chooses calls on a client's networks: legal ones and others.
 *
 * @param owner who and when, as CLIENT.ROUND: titles and ports of each are its own
 */
export function createChooser(random: Random, sites: readonly Site[], owner: string): (world: World) => Operation {
  let count = 0;
  const next = () => `v${owner}.${count += 1}`;
  const flag = () => ({ live: random.chance(0.4), config: random.chance(0.4) });
  const portOf = (world: World, site: Site, known: number) => {
    const ports = world[site.name]?.ports ?? [];
    return ports.length > 0 && random.chance(known) ? random.pick(ports) : `50ac50ac-2222-4000-8000-${owner.split('.')[0]!.padStart(4, '0')}${String(sites.indexOf(site)).padStart(4, '0')}${String(random.below(40)).padStart(4, '0')}`;
  };
  return (world) => {
    const site = random.pick(sites);
    const kind = random.pick(kinds);
    switch (kind) {
      case 'define': case 'create':
        return { kind, site, contents: { title: next(), hosts: site.dhcp ? hosts.filter(() => random.chance(0.3)) : [] } };
      case 'destroy': return { kind, site, force: random.chance(0.5) };
      case 'autostart': return { kind, site, on: random.chance(0.5) };
      case 'title': return { kind, site, title: next(), ...flag() };
      case 'add-host': case 'delete-host':
        return site.dhcp ? { kind, site, host: random.pick(hosts), ...flag() } : { kind: 'look', site };
      case 'attach': return { kind, site, port: portOf(world, site, 0.1) };
      case 'detach': return { kind, site, port: portOf(world, site, 0.9) };
      default: return { kind, site };
    }
  };
}

/** A call as a line of a report. */
export function describeOperation(operation: Operation): string {
  const { kind, site, ...rest } = operation;
  return `${kind} ${site.name} ${JSON.stringify(rest)}`;
}

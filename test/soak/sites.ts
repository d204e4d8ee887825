/**
 * Lives here: the networks of a soak that a client owns: their names,
 * addresses and documents. Does not know: what is done with them.
 */

/** What a definition says that changes in the course of a soak. */
export interface Contents {
  /** Its title is this: which of all definitions it is. */
  title: string;
  /** The DHCP hosts in it, by the last number of their addresses, in rising order. */
  hosts: readonly number[];
}

/** A network that may be there: all of it that stays the same. */
export interface Site {
  name: string;
  uuid: string;
  bridge: string;
  /** The first three numbers of its /24. */
  subnet: string;
  mode: 'nat' | 'route' | 'isolated';
  /** It gives addresses, and so has a dnsmasq. */
  dhcp: boolean;
  /** The network with the same subnet: only one of the two can be up. */
  neighbour?: string;
}

const hex = (n: number, digits: number) => n.toString(16).padStart(digits, '0');

/** The networks of a client: the last two have the same subnet, so that only one of them can be up. */
export function sitesOf(owner: number, label: string): Site[] {
  const shapes = [{ mode: 'nat', dhcp: true, third: 0 }, { mode: 'isolated', dhcp: true, third: 1 }, { mode: 'route', dhcp: false, third: 1 }] as const;
  return shapes.map(({ mode, dhcp, third }, n) => ({
    name: `${label}-${mode}`, ...(third === 0 ? {} : { neighbour: `${label}-${mode === 'route' ? 'isolated' : 'route'}` }), uuid: `50ac50ac-0000-4000-8000-${hex(owner, 4)}${hex(n, 8)}`, bridge: `sk${owner}x${n}`, subnet: `10.${160 + owner}.${third}`, mode, dhcp,
  }));
}

/** The network whose name, UUID and bridge are taken, and which is always up. */
export const anchor: Site = { name: 'anchor', uuid: '50ac50ac-0000-4000-8000-ffff00000000', bridge: 'skanchor', subnet: '10.159.0', mode: 'nat', dhcp: true };

/** The network that guests come to, always up as well. */
export const guestSite: Site = { name: 'guests', uuid: '50ac50ac-0000-4000-8000-ffff00000001', bridge: 'skguests', subnet: '10.159.1', mode: 'nat', dhcp: true };

/** Networks that all clients use, with different definitions, so that nobody can know what becomes of a call. */
export const sharedSites: readonly Site[] = [0, 1].map((n) => ({
  name: `shared${n}`, uuid: `50ac50ac-0000-4000-8000-fffe0000000${n}`, bridge: `skshared${n}`, subnet: `10.158.${n}`, mode: 'nat', dhcp: n === 0,
}));

/** Its document. */
export function documentOf({ name, uuid, bridge, subnet, mode, dhcp }: Site, { title, hosts }: Contents): string {
  const given = `<dhcp><range start='${subnet}.100' end='${subnet}.200'/>${hosts.map((host) => hostElement(subnet, host)).join('')}</dhcp>`;
  return `<network><name>${name}</name><uuid>${uuid}</uuid><title>${title}</title>
  ${mode === 'isolated' ? '' : `<forward mode='${mode}'/>`}<bridge name='${bridge}' stp='off' delay='0'/>${dhcp ? '' : "<dns enable='no'/>"}
  <ip address='${subnet}.1' prefix='24'>${dhcp ? given : ''}</ip></network>`;
}

/** A DHCP host of a network. */
export function hostElement(subnet: string, host: number): string {
  return `<host mac='52:54:00:05:0a:${hex(host, 2)}' ip='${subnet}.${host}'/>`;
}

/** What a document says, in one line; `none` if there is no document. */
export function readContents(xml: string): string {
  const hosts = [...xml.matchAll(/<host mac='52:54:00:05:0a:(..)'/g)].map(([, digits]) => parseInt(digits!, 16));
  return describeContents({ title: /<title>(.*)<\/title>/.exec(xml)?.[1] ?? '', hosts });
}

/** The same of what it should say. */
export function describeContents(contents: Contents | undefined): string {
  return contents === undefined ? 'none' : `${contents.title} [${[...contents.hosts].sort((a, b) => a - b).join(' ')}]`;
}

/** A port's document. The last two digits of its UUID are those of its MAC address. */
export function portDocument(uuid: string): string {
  return `<networkport><uuid>${uuid}</uuid><owner><name>soak-${uuid.slice(-2)}</name><uuid>50ac50ac-1111-4000-8000-000000000001</uuid></owner>`
    + `<mac address='52:54:00:05:0b:${uuid.slice(-2)}'/></networkport>`;
}

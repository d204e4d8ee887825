/**
 * Any rights, any call: what comes of it is what a small model says, and no
 * byte that is sent has the name or the UUID of a network that its caller may
 * not see.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { networkPermissions, requirements, shorthands, type Permission } from '../../../server/access/permissions.js';
import { ErrorCode } from '../../../shared/errors.js';
import type { Network, NetworkDriver } from '../../../shared/gen/vnet/v1/network_driver.js';
import { as, procedureOf, serve, type Served } from './calling.js';

/** How many tables are tried; each with many calls. */
const runs = Number(process.env['VNET_TEST_RUNS'] ?? 40);

const names = ['lab-quince', 'lab-medlar', 'vault-sorrel', 'zz-tansy'] as const;
const uuidOf = (name: string) => `${Buffer.from(name.padEnd(16, '~')).toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5')}`;
const patterns: Record<string, (name: string) => boolean> = {
  'lab-*': (name) => name.startsWith('lab-'), '*-sorrel': (name) => name.endsWith('-sorrel'), 'zz-tansy': (name) => name === 'zz-tansy', '*': () => true,
};

interface Entry { networks?: string[]; rights: Permission[] }
const entry: fc.Arbitrary<Entry> = fc.record({
  networks: fc.uniqueArray(fc.constantFrom(...Object.keys(patterns)), { minLength: 1, maxLength: 2 }),
  rights: fc.oneof(fc.constantFrom<Permission[]>([...shorthands.read], [...shorthands.operate], [...shorthands.all]),
    fc.subarray([...networkPermissions, 'connect:search-networks', 'connect:read', 'connect:getattr'] as Permission[], { minLength: 1 })),
}, { requiredKeys: ['rights'] });

/** What the model says: the permissions on a network of this name, or anywhere. */
const has = (entries: Entry[], permission: Permission, name?: string) => entries.some(({ networks, rights }) => rights.includes(permission)
  && (name === undefined || networks === undefined || !permission.startsWith('network') || networks.some((pattern) => patterns[pattern]!(name))));

/** A document that clashes with other networks in every way there is. */
const document = (name: string, uuid: string | undefined, bridge: string | undefined, subnet: number) => `<network><name>${name}</name>
  ${uuid === undefined ? '' : `<uuid>${uuid}</uuid>`}${bridge === undefined ? '' : `<bridge name='${bridge}'/>`}
  <ip address='10.9.${subnet}.1' netmask='255.255.255.0'/></network>`;

/** One call: by `handle` it is about a network, or by `defines` its document is. */
interface Action { key: keyof NetworkDriver; handle?: Network; defines?: string; request: Record<string, unknown> }
const name = fc.constantFrom(...names, 'nobody-here');
const handle = (target: string) => fc.constantFrom({ name: target, uuid: '' }, { name: '', uuid: uuidOf(target) }, { name: 'nonsense', uuid: uuidOf(target).toUpperCase() });
const keysWith = (field: string) => (Object.keys(requirements['NetworkDriver']!) as (keyof NetworkDriver)[])
  .filter((key) => field in (procedureOf(key).requestType.decode(new Uint8Array()) as object));
const onNetwork = keysWith('network').filter((key) => key !== 'watchNetworkEvents' && key !== 'diagnose' && key !== 'getStatus');
const onPort = keysWith('port');

const action: fc.Arbitrary<Action> = name.chain((target) => fc.oneof(
  fc.tuple(fc.constantFrom(...onNetwork), handle(target), fc.boolean(), fc.boolean()).map(([key, network, live, config]) =>
    ({ key, handle: network, request: { network, live, config, uuid: uuidOf(target), xml: '<x/>', command: 3, section: 10, type: 1, metadata: 'text', autostart: true, force: true } })),
  fc.tuple(fc.constantFrom(...onPort), handle(target)).map(([key, network]) => ({ key, handle: network, request: { port: { network, uuid: uuidOf(target) } } })),
  fc.constantFrom<Action[]>(
    [{ key: 'networkLookupByName', handle: { name: target, uuid: '' }, request: { name: target } }], [{ key: 'networkLookupByUuid', handle: { name: '', uuid: uuidOf(target) }, request: { uuid: uuidOf(target) } }]).map(([one]) => one!),
  fc.tuple(fc.constantFrom('networkDefineXml' as const, 'networkCreateXml' as const), fc.option(name, { nil: undefined }), fc.option(fc.constantFrom('br0', 'br1', 'br2', 'br3'), { nil: undefined }), fc.nat(4), fc.boolean())
    .map(([key, other, bridge, subnet, dryRun]) => ({
      key, defines: target, request: { xml: document(target, other && uuidOf(other), bridge, subnet), ...(dryRun && key === 'networkDefineXml' ? { dryRun } : {}) },
    })),
));

async function serveNetworks(entries: Entry[]): Promise<Served> {
  const table = entries.map(({ networks, rights }) =>
    `[[allow]]\ntoken = "x"\nrights = ${JSON.stringify(rights)}\n${networks === undefined ? '' : `networks = ${JSON.stringify(networks)}\n`}`).join('');
  const served = await serve(table);
  for (const [i, one] of names.entries()) {
    const { network } = await served.driver.networkDefineXml({ xml: document(one, uuidOf(one), `br${i}`, i), validate: false });
    if (i % 2 === 0) await served.driver.networkCreate({ network });
  }
  return served;
}

/** Everything that can be changed. */
const stateOf = async ({ driver }: Served) => JSON.stringify(await Promise.all((await driver.listAllNetworks({})).networks.map(async (row) =>
  [row, (await driver.networkDumpXml({ network: row.network, inactive: false })).xml, (await driver.networkDumpXml({ network: row.network, inactive: true })).xml])));

type Verdict = 'passed' | 'ACCESS_DENIED' | 'NO_NETWORK';

function expected(entries: Entry[], { key, handle: about, defines, request }: Action, there: readonly Network[]): Verdict {
  const { needs, also } = requirements['NetworkDriver']![key]!;
  if (needs.some((permission) => !has(entries, permission))) return 'ACCESS_DENIED';
  const all = also?.applies({ live: request['live'], config: request['config'] } as never) === true ? [...needs, also.permission] : needs;
  if (defines !== undefined) return all.every((permission) => has(entries, permission, defines)) ? 'passed' : 'ACCESS_DENIED';
  const found = there.find((one) => (about!.uuid === '' ? one.name === about!.name : one.uuid === about!.uuid.toLowerCase()));
  if (found === undefined || !has(entries, 'network:getattr', found.name)) return 'NO_NETWORK';
  return all.every((permission) => has(entries, permission, found.name)) ? 'passed' : 'ACCESS_DENIED';
}

/** Every name and UUID of these networks that a caller has not said itself. */
function leaks(bytes: Buffer, hidden: readonly Network[], request: object): string[] {
  const said = JSON.stringify(request).toLowerCase();
  return hidden.flatMap((one) => [one.name, one.uuid]).filter((word) => !said.includes(word.toLowerCase()) && bytes.includes(word));
}

describe('with any rights', () => {
  it('T21: a call is refused or not as the model says, changes nothing if it is, and tells nothing that is hidden', async () => {
    const seen = new Set<string>();
    await fc.assert(fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 3 }), fc.array(action, { minLength: 30, maxLength: 60 }), async (entries, actions) => {
      const served = await serveNetworks(entries);
      const who = as.token('x');
      for (const one of actions) {
        const there = (await served.driver.listAllNetworks({})).networks.map(({ network }) => network!);
        const before = await stateOf(served);
        const { error, bytes } = await served.call(who, one.key, one.request);
        const code = error === undefined ? 'OK' : ErrorCode[error.code]!;
        const verdict = expected(entries, one, there);
        expect({ ...one, verdict: code === 'ACCESS_DENIED' || code === 'NO_NETWORK' ? code : 'passed' }).toEqual({ ...one, verdict });
        if (verdict !== 'passed') expect(await stateOf(served)).toBe(before);
        const hidden = there.filter((known) => !has(entries, 'network:getattr', known.name));
        expect({ ...one, leaks: leaks(bytes, hidden, one.request) }).toEqual({ ...one, leaks: [] });
        seen.add(verdict).add(code);
      }
    }), { numRuns: runs });
    // The calls reached what they are to reach.
    for (const code of ['passed', 'OK', 'ACCESS_DENIED', 'NO_NETWORK', 'OPERATION_FAILED', 'INTERNAL_ERROR', 'OPERATION_INVALID']) expect(seen).toContain(code);
  }, 300_000);

  it('T21: lists, counts, events and the doctor leave out what is hidden', async () => {
    await fc.assert(fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 2 }), async (some) => {
      const entries: Entry[] = [...some, { networks: [], rights: ['connect:search-networks', 'connect:read'] }];
      const served = await serveNetworks(entries.map(({ networks, ...rest }) => ({ ...rest, ...(networks?.length === 0 ? { networks: ['*-none'] } : networks && { networks }) })));
      const who = as.token('x');
      const { networks } = await served.driver.listAllNetworks({});
      const visible = (...needs: Permission[]) => networks.map(({ network }) => network!.name).filter((one) => needs.every((permission) => has(entries, permission, one)));
      const active = (one: string) => networks.find(({ network }) => network!.name === one)!.active;
      const sees = visible('network:getattr');
      const hidden = networks.map(({ network }) => network!).filter((one) => !sees.includes(one.name));
      const ask = async (key: string, request: object = {}) => {
        const { answer, bytes } = await served.call(who, key, request);
        expect({ key, leaks: leaks(bytes, hidden, {}) }).toEqual({ key, leaks: [] });
        return answer!;
      };
      expect(await ask('listNetworks')).toEqual({ names: sees.filter(active) });
      expect(await ask('listDefinedNetworks')).toEqual({ names: sees.filter((one) => !active(one)) });
      expect(await ask('listNetworks', { maxNames: 1 })).toEqual({ names: sees.filter(active).slice(0, 1) });
      expect(await ask('numOfNetworks')).toEqual({ count: sees.filter(active).length });
      expect(await ask('numOfDefinedNetworks')).toEqual({ count: sees.filter((one) => !active(one)).length });
      const rows = await ask('listAllNetworks') as { networks: { network: { name: string } }[] };
      expect(rows.networks.map(({ network }) => network.name)).toEqual(visible('network:getattr', 'network:read'));
      await ask('diagnose');
      const { networks: known } = await ask('getStatus') as { networks: { network: { name: string } }[] };
      expect(known.map(({ network }) => network.name)).toEqual(visible('network:getattr', 'network:read'));
      const { epoch } = await ask('watchNetworkEvents') as { epoch: string };
      // All that has happened since the beginning.
      await ask('watchNetworkEvents', { epoch, after: 0 });
    }), { numRuns: Math.ceil(runs / 2) });
  }, 300_000);
});

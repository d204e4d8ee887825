/** Every procedure of the contract, by everyone who could call it, on everything it could be about. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { adminRequirements, driverRequirements, formatRequirement, permissions, requirements, shorthands, type Permission } from '../../../server/access/permissions.js';
import { procedures } from '../../../server/calls.js';
import { ErrorCode, type NetworkError } from '../../../shared/errors.js';
import { changes } from '../../../shared/procedures.js';
import { as, serve, type Someone } from './calling.js';

const [own, foreign, missing] = ['lab-a', 'vault', 'nowhere'] as const;
const uuids: Record<string, string> = {
  [own]: 'aaaaaaaa-0000-4000-8000-000000000001', [foreign]: 'bbbbbbbb-0000-4000-8000-000000000002', [missing]: 'cccccccc-0000-4000-8000-000000000003',
};
const document = (name: string) => `<network><name>${name}</name><uuid>${uuids[name]}</uuid></network>`;

const table = `
[[allow]]
token = "reader"
rights = "read"
[[allow]]
token = "limited"
networks = "lab-*"
rights = "all"
[[allow]]
token = "whole"
rights = ["all", "admin"]
`;
const callers = {
  'read-only socket': as.nobody('unix-readonly'), reader: as.token('reader'), limited: as.token('limited'), whole: as.token('whole'), unlisted: as.token('unlisted'),
} satisfies Record<string, Someone>;

/** What each may do, said once more: the model. */
const model: Record<keyof typeof callers, { permissions: readonly Permission[]; networks: readonly string[] }> = {
  'read-only socket': { permissions: shorthands.read, networks: [own, foreign, missing] },
  reader: { permissions: shorthands.read, networks: [own, foreign, missing] },
  limited: { permissions: shorthands.all, networks: [own] },
  whole: { permissions, networks: [own, foreign, missing] },
  unlisted: { permissions: [], networks: [] },
};

/** A request of each kind that is about a network; every field that a request could have is there. */
const requestAbout = (name: string) => {
  const network = { name: '', uuid: uuids[name]! };
  return { network, port: { network, uuid: uuids[missing]! }, xml: document(name), uuid: uuids[name], name, level: 'info', id: 1e6 };
};

type Verdict = 'passed' | 'OPERATION_DENIED' | 'ACCESS_DENIED' | 'NO_NETWORK';

/** What is to come of a call: whether it gets past the check, whatever the driver says then. */
function expected(caller: keyof typeof callers, procedure: (typeof procedures)[number], name: string): Verdict {
  const { permissions: has, networks } = model[caller];
  const { needs, also } = requirements[procedure.service]![procedure.key]!;
  if (caller === 'read-only socket' && changes(procedure)) return 'OPERATION_DENIED';
  if (!needs.every((permission) => has.includes(permission))) return 'ACCESS_DENIED';
  const request = requestAbout(name);
  const codec = procedure.requestType as unknown as { fromPartial(part: object): Record<string, unknown> };
  const fields = Object.keys(codec.fromPartial(request));
  const isDocument = procedure.key === 'networkCreateXml' || procedure.key === 'networkDefineXml';
  const isLookup = procedure.key.startsWith('networkLookup');
  if (!isDocument && !isLookup && !fields.includes('network') && !fields.includes('port')) return 'passed';
  if (isDocument) return networks.includes(name) ? 'passed' : 'ACCESS_DENIED';
  if (name === missing || !networks.includes(name)) return 'NO_NETWORK';
  return also === undefined || has.includes(also.permission) ? 'passed' : 'ACCESS_DENIED';
}

function verdictOf(error: NetworkError | undefined): Verdict {
  const name = error === undefined ? 'passed' : ErrorCode[error.code];
  return name === 'OPERATION_DENIED' || name === 'ACCESS_DENIED' || name === 'NO_NETWORK' ? name : 'passed';
}

describe.each(Object.keys(callers) as (keyof typeof callers)[])('%s', (caller) => {
  it.each(procedures.map((procedure) => [procedure.name, procedure] as const))('T20: calls %s', async (_, procedure) => {
    for (const name of [own, foreign, missing]) {
      const served = await serve(table);
      for (const there of [own, foreign]) await served.driver.networkDefineXml({ xml: document(there), validate: false });
      const { error } = await served.call(callers[caller], procedure.key, requestAbout(name));
      expect({ about: name, verdict: verdictOf(error) }).toEqual({ about: name, verdict: expected(caller, procedure, name) });
    }
  });
});

it('T20: the contract says of every call what the table says', () => {
  for (const [file, table] of [['network_driver', driverRequirements], ['admin', adminRequirements]] as const) {
    const proto = readFileSync(new URL(`../../../proto/vnet/v1/${file}.proto`, import.meta.url), 'utf8');
    const said = Object.fromEntries([...proto.matchAll(/((?:^ {2}\/\/.*\n)+) {2}rpc (\w+)\(/gm)].map(([, comment = '', name = '']) =>
      [name[0]!.toLowerCase() + name.slice(1), [...comment.matchAll(/^ {2}\/\/ Permission: (.*)$/gm)].map(([, line]) => line)]));
    expect(said).toEqual(Object.fromEntries(Object.entries(table).map(([key, requirement]) => [key, [formatRequirement(requirement)]])));
  }
});

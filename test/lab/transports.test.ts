/**
 * The scenario and the conformance suite with the host driver, reached in
 * every way: in this process, over the unix socket, and over TCP and mutual
 * TLS from the namespace of another machine.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe } from 'vitest';
import { connect } from '../../client/connect.js';
import { openConnection } from '../../client/connection.js';
import { describeConformance } from '../conformance/suite.js';
import { dist } from '../processes.js';
import { openServing, type Serving } from '../serving.js';
import { addresses, openLab, type Lab } from './lab.js';
import { inNamespace } from './place.js';
import { networkScenario, type DriverSide } from './scenario.js';

/** Starts and stops networks through a URI, in this process. */
async function openSide(uri: string): Promise<DriverSide> {
  const connection = await openConnection(uri);
  return {
    start: async (xml) => (await connection.defineXml(xml)).network.start(),
    stop: async (name) => {
      const network = await connection.lookupByName(name);
      await network.destroy();
      await network.undefine();
    },
    close: async () => {
      for (const { network } of await connection.listAllNetworks({ active: true })) await network.destroy();
      await connection.close();
    },
  };
}

/** Starts and stops networks with the program `vnet`, run in the namespace outside. */
function openRemoteSide(uri: string): DriverSide {
  const vnet = async (argv: string[], input = '') => {
    const [program, ...before] = inNamespace('outside', process.execPath, join(dist, 'client/cli/vnet.js'), '-c', uri, ...argv);
    const running = promisify(execFile)(program, before);
    running.child.stdin?.end(input);
    return (await running).stdout;
  };
  return {
    start: async (xml) => {
      await vnet(['define', '-'], xml);
      await vnet(['start', /<name>(.*?)<\/name>/.exec(xml)![1]!]);
    },
    stop: async (name) => {
      await vnet(['destroy', name]);
      await vnet(['undefine', name]);
    },
    close: async () => {
      const active = (await vnet(['list', '--active', '-o', 'name'])).split('\n').filter((name) => name !== '');
      if (active.length > 0) await vnet(['destroy', ...active]);
    },
  };
}

networkScenario('by the host driver in this process', (lab) => openSide(`vnet:///embed?root=${lab.folder}`));

for (const way of ['unix', 'tcp', 'tls'] as const) {
  networkScenario(`by vnetd over ${way}`, async () => {
    const serving = await openServing('host', { address: addresses.up0.ipv4 });
    const side = way === 'unix' ? await openSide(serving.uris.unix) : openRemoteSide(serving.uris[way]);
    return {
      ...side,
      close: async () => {
        await side.close();
        await serving.close();
      },
    };
  });
}

describe('the conformance suite on a real host', () => {
  let lab: Lab;
  let serving: Serving;
  beforeAll(async () => {
    lab = await openLab();
    serving = await openServing('host', { address: addresses.up0.ipv4 });
  }, 300_000);
  afterAll(async () => {
    await serving?.close();
    await lab?.close();
  });

  describeConformance('host driver in this process', () => connect(`vnet:///embed?root=${lab.folder}`));
  for (const way of ['unix', 'tcp', 'tls'] as const) {
    // Runs are long here: what is said call by call is proven over one of them.
    const transport = way === 'tcp' ? 'unary' : 'session';
    describeConformance(`host driver over ${way}, ${transport}`, () => connect(serving.uris[way], { transport }));
  }
});

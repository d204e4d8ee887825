/** Documents that are costly to read, from those who may not define a network: nobody reads them, and nobody waits for them. */
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect } from '../../client/connect.js';
import { NetworkDefineXmlRequest } from '../../shared/gen/vnet/v1/network_driver.js';
import { openServing, type Serving } from '../serving.js';

let serving: Serving;
beforeAll(async () => { serving = await openServing('test', { level: 'info', access: '[[allow]]\nlistener = "tcp"\nrights = "read"\n[[allow]]\nlistener = "unix"\nrights = "all"\n' }); });
afterAll(() => serving?.close());

/** Each takes its reader a fifth of a second; a thousand of them minutes. */
const bomb = Buffer.from(NetworkDefineXmlRequest.encode({ xml: `<network><name>n</name>${'<ip/>'.repeat(40_000)}</network>`, validate: true }).finish());
const bombs = 1000;

/** How long an honest client's calls take while something goes on: that of a hundred that is the longest but one, in milliseconds. */
async function p99During(work: () => Promise<unknown>): Promise<number> {
  const { driver, close } = await connect(serving.uris.unix);
  const ms: number[] = [];
  let over = false;
  const worked = work().finally(() => { over = true; });
  while (!over) {
    const started = performance.now();
    await driver.networkLookupByName({ name: 'default' });
    ms.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await worked;
  await close();
  return ms.sort((a, b) => a - b)[Math.floor(ms.length * 0.99)]!;
}

it('T7: a thousand documents that nobody may send are refused unread, and others are served meanwhile', async () => {
  const client = new Client(new URL(serving.uris.tcp).host, credentials.createInsecure());
  const bytes = (value: Buffer) => value;
  const send = () => new Promise<number>((resolve) => {
    client.makeUnaryRequest('/vnet.v1.NetworkDriver/NetworkDefineXml', bytes, bytes, bomb, (error) => resolve(error?.code ?? 0));
  });
  const quiet = await p99During(() => new Promise((resolve) => setTimeout(resolve, 2000)));
  const codes = new Set<number>();
  const p99 = await p99During(async () => {
    for (let sent = 0; sent < bombs; sent += 4) for (const code of await Promise.all([send(), send(), send(), send()])) codes.add(code);
  });
  client.close();
  expect([...codes]).toEqual([7]);
  // On a machine that has other things to do, as much more as it needs itself.
  expect(p99).toBeLessThan(100 * Math.max(1, quiet / 20));
}, 60_000);

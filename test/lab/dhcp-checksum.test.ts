/** DHCP's answers as a guest's interface sees them: a client that is strict about checksums takes them. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../../server/driver/host.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Guest, type Lab } from './lab.js';
import { inNamespace } from './place.js';

const plan = planFrom(`<network><name>strict</name><uuid>4b6bd1a5-3c5e-4f0e-9f12-0000000000e1</uuid><forward mode='nat'/>
  <bridge name='lab-strict' stp='off' delay='0'/><bandwidth><inbound average='5000'/><outbound average='5000'/></bandwidth>
  <ip address='10.91.1.1' prefix='24'><dhcp><range start='10.91.1.10' end='10.91.1.20'/></dhcp></ip></network>`);

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = await openLab();
  host = await openLabHost(lab);
}, 400_000);

afterAll(async () => {
  await host?.tearDown(plan, { forget: true });
  await host?.close();
  await lab?.close();
});

/** Whether the kernel can complete checksums at all. */
async function canComplete(): Promise<boolean> {
  await runProgram('tc', ['qdisc', 'add', 'dev', 'lo', 'clsact']);
  const added = runProgram('tc', ['filter', 'add', 'dev', 'lo', 'egress', 'protocol', 'ip', 'u32', 'match', 'u32', '0', '0', 'action', 'csum', 'udp']);
  const can = await added.then(() => true, () => false);
  await runProgram('tc', ['qdisc', 'delete', 'dev', 'lo', 'clsact']);
  return can;
}

/** What tcpdump says of each DHCP answer that comes to a guest while it asks for a lease. */
async function answersTo(guest: Guest): Promise<string[]> {
  const [program, ...argv] = inNamespace(guest.name, 'tcpdump', '--immediate-mode', '-l', '-n', '-vv', '-i', 'eth0', 'udp', 'dst', 'port', '68');
  const capture = spawn(program, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => capture.once('exit', resolve));
  let said = '';
  for (const stream of [capture.stdout, capture.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { said += text; });
  const answers = () => said.split('\n').filter((line) => line.includes('.68:'));
  try {
    await until('tcpdump', async () => said.includes('listening on'));
    await guest.lease();
    await until('an offer and an acknowledgement', async () => answers().length >= 2);
    return answers();
  } finally {
    capture.kill();
    await ended;
  }
}

describe('DHCP answers', () => {
  it('have complete checksums, where the kernel has act_csum', async ({ skip }) => {
    if (!await canComplete()) skip('this kernel has no act_csum');
    await host.bringUp(plan);
    for (const answer of await answersTo(await lab.guest(plan.bridge, 'strict'))) expect(answer).toContain('[udp sum ok]');
  });
});

/** The options of the dnsmasq that is installed: none that reaches beyond its network passes. Skipped where there is none. */
import { execFileSync, spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { rawOption } from '../../server/host/dnsmasq/conf-line.js';

const installed = spawnSync('dnsmasq', ['--version']).status === 0;

/** What dnsmasq says of options that name files, accounts, programs or the kernel's sets, or are about its own process. */
const reaches = /<path>|=path|<dir>|<file>|<\w*name>\s+(Change|Run)|[Ss]cript|\bdaemon\b|\/etc\/ethers|DBus|UBus|ip ?sets?|nftables|connection-track mark from|Do NOT fork|Display|Check configuration|dump/;

/** What reads so and is none of it: a folder that a document may name, and words of the explanations. */
const harmless = ['tftp-root', 'log-dhcp', 'no-hosts', 'no-resolv'];

it.skipIf(!installed)('T6: every option that reaches beyond the network is refused, one by one', () => {
  const help = execFileSync('dnsmasq', ['--help'], { encoding: 'utf8' });
  const options = [...help.matchAll(/^(?:-., +| *)--([a-z0-9-]+)(.*)$/gm)].map(([, name, rest]) => ({ name: name!, rest: rest! }));
  expect(options.length).toBeGreaterThan(100);
  const passes = (line: string) => { try { return rawOption(line) === line; } catch { return false; } };
  const reaching = options.filter(({ name, rest }) => (reaches.test(rest) || /script|file$|dir$/.test(name)) && !harmless.includes(name)).map(({ name }) => name);
  expect(reaching.length).toBeGreaterThan(25);
  expect(reaching.filter((name) => passes(name) || passes(`${name}=x`) || passes(` ${name} = x`) || passes(`--${name}=x`) || passes(`${name}=x #y`))).toEqual([]);
  // What is left is most of it.
  expect(options.filter(({ name }) => passes(`${name}=x`)).length).toBeGreaterThan(100);
});

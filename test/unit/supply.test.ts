/** What comes from others: so many packages, each of them known, locked to its bytes, and none whose programs are run when it is installed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;
const text = (name: string) => readFile(join(root, name), 'utf8');

/** Every package that a daemon is made of, below each other. Whoever adds one adds it here, and says in the README why. */
const known = `
@bufbuild/protobuf @grpc/grpc-js @grpc/proto-loader @grpc/reflection execa fast-xml-parser grpc-health-check ipaddr.js pino smol-toml yaml
`.trim().split(/\s+/);
const below = `
@js-sdsl/ordered-map @nodable/entities @pinojs/redact @protobufjs/aspromise @protobufjs/base64 @protobufjs/codegen @protobufjs/eventemitter @protobufjs/fetch
@protobufjs/float @protobufjs/path @protobufjs/pool @protobufjs/utf8 @sec-ant/readable-stream @sindresorhus/merge-streams @types/node ansi-regex ansi-styles anynum
atomic-sleep cliui color-convert color-name cross-spawn emoji-regex escalade fast-xml-builder figures get-caller-file get-stream human-signals
is-fullwidth-code-point is-plain-obj is-stream is-unicode-supported is-unsafe isexe lodash.camelcase long npm-run-path on-exit-leak-free parse-ms
path-expression-matcher path-key pino-abstract-transport pino-std-serializers pretty-ms process-warning protobufjs quick-format-unescaped real-require
require-directory safe-stable-stringify shebang-command shebang-regex signal-exit sonic-boom split2 string-width strip-ansi strip-final-newline strnum thread-stream
undici-types unicorn-magic which wrap-ansi xml-naming y18n yargs yargs-parser yoctocolors
`.trim().split(/\s+/);

/** How many there may be in all, those that are there twice counted twice. */
const budget = 85;

interface Locked { version: string; resolved?: string; integrity?: string; dev?: boolean; optional?: boolean; devOptional?: boolean; hasInstallScript?: boolean }

const locked = async () => Object.entries((JSON.parse(await text('package-lock.json')) as { packages: Record<string, Locked> }).packages).filter(([path]) => path !== '');

it('T35: a daemon is made of the packages that are known, and of no more than there may be', async () => {
  const { dependencies } = JSON.parse(await text('package.json')) as { dependencies: Record<string, string> };
  expect(Object.keys(dependencies).sort()).toEqual([...known].sort());
  for (const version of Object.values(dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  const shipped = (await locked()).filter(([, { dev, devOptional }]) => dev !== true && devOptional !== true).map(([path]) => path.replace(/^.*node_modules\//, ''));
  expect([...new Set(shipped)].sort()).toEqual([...known, ...below].sort());
  expect(shipped.length).toBeLessThanOrEqual(budget);
});

it('T35: each package is locked to its bytes, and none comes from a place of its own', async () => {
  for (const [path, { resolved, integrity, version }] of await locked()) {
    expect({ path, version, resolved, integrity }).toEqual({ path, version: expect.stringMatching(/^\d/), resolved: undefined, integrity: expect.stringMatching(/^sha512-/) });
  }
});

it('T35: no package runs a program when it is installed as we install it', async () => {
  for (const file of ['.ci/run', 'test/setup.mjs']) {
    const lines = (await text(file)).split('\n').filter((one) => /^ *npm (ci|install) |'npm', \['(ci|install)'/.test(one));
    expect(lines).not.toEqual([]);
    for (const line of lines) expect({ file, line }).toEqual({ file, line: expect.stringContaining('--ignore-scripts') });
  }
  const scripted = (await locked()).filter(([, { hasInstallScript, dev, devOptional }]) => hasInstallScript === true && dev !== true && devOptional !== true).map(([path]) => path);
  // This one only prints a warning there; it is not run.
  expect(scripted).toEqual(['node_modules/protobufjs']);
  const { scripts } = JSON.parse(await text('package.json')) as { scripts: Record<string, string> };
  expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
});

/**
 * Lives here: `npm run defences`: each defence against the threats of the wire
 * is taken out of a copy of this tree, and its test must fail there. Does not
 * know: which defences there are (see table.ts).
 *
 *     npm run defences               all of them
 *     npm run defences -- T17 T18    those of these threats
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, ensureDebianPackages, ensureNpmPackages, hostPackages, requireNode, root } from '../setup.mjs';

/** How long a test may take, in milliseconds; one that takes longer is not said to have failed. */
const timeoutMs = 120_000;
/** As many documents as the differential tests need, so that it does not take all day. */
const environment = { ...process.env, VNET_TEST_DOCUMENTS: '3000', VNET_TEST_RUNS: '40' };

requireNode();
ensureDebianPackages({ ...hostPackages, openssl: 'openssl', xmllint: 'libxml2-utils', python3: 'python3' });
if (!ensureNpmPackages() || !build()) process.exit(1);
const { defences } = await import('../../dist/test/defences/table.js');
const rows = process.argv.slice(2);
const chosen = defences.filter(({ row }) => rows.length === 0 || rows.includes(row));

const copy = mkdtempSync(join(tmpdir(), 'vnet-defences-'));
// Other accounts run its programs.
chmodSync(copy, 0o755);
/** Ends the tests that run, with all that they have started. */
let endTests = () => undefined;
process.once('exit', () => {
  endTests();
  rmSync(copy, { recursive: true, force: true, maxRetries: 5 });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
for (const part of ['client', 'server', 'shared', 'proto', 'test', 'dist', 'package.json', 'package-lock.json', 'tsconfig.json', 'README.md']) cpSync(join(root, part), join(copy, part), { recursive: true });
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
mkdirSync(join(copy, 'reports'));

const began = performance.now();
const usual = await runTests([...new Set(chosen.map(({ test }) => test))], chosen.map(({ pattern }) => pattern), 10 * timeoutMs);
const outcomes = [];
for (const defence of chosen) {
  const outcome = await take(defence);
  outcomes.push(outcome);
  console.log(`${defence.row} ${outcome}: ${defence.what} (${defence.file})`);
}
const count = (word) => outcomes.filter((outcome) => outcome.startsWith(word)).length;
console.log(`${count('caught')} caught, ${count('NOT CAUGHT')} not caught, ${count('not tried')} not tried, in ${Math.round((performance.now() - began) / 1000)} s`);
process.exit(count('NOT CAUGHT') === 0 ? 0 : 1);

/** Takes one defence out, and tells what its test says. */
async function take({ file, text, without, test, pattern }) {
  const before = verdictOf(usual, test, pattern);
  if (before === 'skipped') return 'not tried, because its test is skipped on this machine';
  if (before !== 'passed') return `NOT CAUGHT, because its test ${before ?? 'is not there'} as it is`;
  const path = join(copy, file);
  const whole = readFileSync(path, 'utf8');
  if (whole.split(text).length !== 2) return 'NOT CAUGHT, because it does not stand there once';
  const programs = /\b(startDaemon|openServing|dist)\b/.test(readFileSync(join(copy, test), 'utf8'));
  writeFileSync(path, whole.replace(text, () => without));
  try {
    // What the compiler says of it is not asked: it is to run.
    if (programs) rebuild();
    const verdict = verdictOf(await runTests([test], [pattern], timeoutMs), test, pattern);
    return verdict === 'failed' ? 'caught' : `NOT CAUGHT, because its test ${verdict ?? 'did not run'}`;
  } finally {
    // The next test of the programs builds them anew.
    writeFileSync(path, whole);
  }
}

/** Builds the copy's programs, whatever the types say. */
function rebuild() {
  const quiet = { cwd: copy, stdio: 'ignore' };
  spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json'], quiet);
  const { status } = spawnSync(process.execPath, ['shared/bundle.mjs'], quiet);
  if (status !== 0) throw new Error('the programs cannot be bundled');
}

/** Runs the tests of some files whose titles begin so. Gives vitest's report; none if it takes too long. */
async function runTests(files, patterns, limitMs) {
  const report = join(copy, 'reports/report.json');
  rmSync(report, { force: true });
  const words = [...new Set(patterns)].map((pattern) => titleOf(pattern).replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const argv = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts', '--no-file-parallelism', '--reporter=json', `--outputFile.json=${report}`, '-t', words.join('|'), ...files];
  const child = spawn(process.execPath, argv, { cwd: copy, stdio: 'ignore', env: environment, detached: true });
  endTests = () => process.kill(-child.pid, 'SIGKILL');
  const timer = setTimeout(endTests, limitMs);
  await new Promise((resolve) => child.once('exit', resolve));
  clearTimeout(timer);
  endTests = () => undefined;
  try {
    return JSON.parse(readFileSync(report, 'utf8')).testResults;
  } catch {
    return [];
  }
}

/** What a report says of a test: failed if one of its cases did. A file that cannot be loaded says nothing. */
function verdictOf(results, test, pattern) {
  const cases = results.filter(({ name }) => name.endsWith(`/${test}`)).flatMap(({ assertionResults }) => assertionResults).filter(({ title }) => title.startsWith(titleOf(pattern)) || title.includes(`: ${titleOf(pattern)}`));
  const some = (status) => cases.some((one) => one.status === status);
  return some('failed') ? 'failed' : some('passed') ? 'passed' : cases.length > 0 ? 'skipped' : undefined;
}

/** The beginning of a title as it is once its case is filled in. */
function titleOf(pattern) {
  return pattern.replace(/%s.*$/, '');
}

/**
 * Lives here: `npm test`: installs what is missing, builds, checks the
 * contract, and runs every test this machine allows, saying plainly what it
 * skipped and why.
 *
 *     npm test                      everything
 *     npm test -- unit conformance  only these folders
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, ensureDebianPackages, ensureNpmPackages, hostPackages, installed, requireNode, root, run } from './setup.mjs';

/** Programs that only tests need, each with the Debian package that has it. */
const testPackages = {
  ...hostPackages, ping: 'iputils-ping', dig: 'bind9-dnsutils', tcpdump: 'tcpdump', openssl: 'openssl', ssh: 'openssh-client', xmllint: 'libxml2-utils', python3: 'python3', 'iptables-restore': 'iptables', 'systemd-analyze': 'systemd', faketime: 'faketime',
};

/** The folders of tests: `plain` ones side by side; `alone`, since time is measured in them; in the `lab`, which has network namespaces. */
const folders = { unit: 'plain', conformance: 'plain', interop: 'plain', attack: 'alone', lab: 'lab' };

const vitest = [process.execPath, join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'test/vitest.config.ts'];
const enter = [process.execPath, join(root, 'test/lab/enter.mjs')];

requireNode();
const wanted = process.argv.slice(2).length > 0 ? process.argv.slice(2) : Object.keys(folders);
for (const folder of wanted) {
  if (!(folder in folders)) {
    console.error(`no such tests: ${folder}; there are: ${Object.keys(folders).join(', ')}`);
    process.exit(2);
  }
}
const notes = [];
const missing = ensureDebianPackages(testPackages);
if (missing.length > 0) notes.push(`tests that need ${missing.join(', ')} are skipped: not installed`);
if (!ensureNpmPackages() || !build()) process.exit(1);
const failed = [];
if (!checkContract()) failed.push('contract');

const totals = { passed: 0, failed: 0, skipped: 0 };
const reports = mkdtempSync(join(tmpdir(), 'vnet-report-'));
const [plain, alone, inLab] = ['plain', 'alone', 'lab'].map((kind) => wanted.filter((folder) => folders[folder] === kind));
if (plain.length > 0) runTests('tests', [], plain);
if (alone.length > 0) runTests('alone', [], alone, true);
if (inLab.length > 0) {
  const check = spawnSync(enter[0], [...enter.slice(1), '--check'], { encoding: 'utf8' });
  // A lab has one host: its files take turns.
  if (check.status === 0) runTests('lab', enter, inLab, true);
  else notes.push(`lab tests are skipped: ${(check.stdout + check.stderr).trim()}`);
}
rmSync(reports, { recursive: true, force: true });
for (const note of notes) console.log(`note: ${note}`);
for (const part of failed) console.log(`FAILED: ${part}`);
console.log(`${totals.passed} passed, ${totals.failed + (failed.includes('contract') ? 1 : 0)} failed, ${totals.skipped} skipped`);
process.exit(failed.length === 0 ? 0 : 1);

/** Runs vitest on folders, behind a command that enters a namespace if one is given; file by file if they take turns. */
function runTests(name, before, chosen, turns = false) {
  const report = join(reports, `${name}.json`);
  const [program, ...argv] = [...before, ...vitest, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`,
    ...(turns ? ['--no-file-parallelism'] : []), ...chosen.map((folder) => `test/${folder}/`)];
  if (!run(program, argv)) failed.push(chosen.join(', '));
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
  totals.passed += numPassedTests;
  totals.failed += numFailedTests;
  totals.skipped += numPendingTests;
  for (const { assertionResults } of testResults) {
    for (const { status, fullName } of assertionResults) if (status === 'pending' || status === 'skipped') notes.push(`skipped: ${fullName}`);
  }
}

/** The contract is linted, formatted, keeps what a release promised, and its generated code is what is committed. */
function checkContract() {
  const buf = join(root, 'node_modules/.bin/buf');
  const proto = join(root, 'proto');
  const inProto = (...argv) => spawnSync(buf, argv, { cwd: proto, stdio: 'inherit' }).status === 0;
  const ok = inProto('lint') && inProto('format', '--diff', '--exit-code') && inProto('breaking', '--against', 'released.binpb');
  const fresh = mkdtempSync(join(tmpdir(), 'vnet-gen-'));
  try {
    // The template writes to ../shared/gen, seen from the folder it is given.
    const generated = inProto('generate', '--output', join(fresh, 'proto'));
    const same = generated && spawnSync('diff', ['-r', join(root, 'shared/gen'), join(fresh, 'shared/gen')], { stdio: 'inherit' }).status === 0;
    if (!same) console.error('shared/gen is not what proto/ generates: run npm run gen and commit the result');
    return ok && same;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/**
 * Which texts are XML documents: our reader against libxml2's, on documents
 * that were spoilt and documents that were made up. VNET_TEST_DOCUMENTS sets
 * how many. Skipped where xmllint (libxml2-utils) is missing.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { NetworkError } from '../../shared/errors.js';
import { readXml } from '../../shared/definition/xml/read.js';
import { madeUp, mutate, randomNumbers } from '../unit/definition/mutations.js';
import { samples } from '../unit/definition/samples.js';

const available = spawnSync('xmllint', ['--version']).status === 0;
const count = Number(process.env['VNET_TEST_DOCUMENTS'] ?? 6000);
const batchSize = 500;

/** Where we are stricter, or xmllint is no judge. */
const knownDifferences: readonly { since: string; is: (text: string) => boolean }[] = [
  { since: 'xmllint reads C strings: it sees nothing after a NUL', is: (text) => text.includes('\u0000') },
  { since: 'the XML library takes U+FEFF in a name for white space, so the two readers disagree and the text is refused', is: (text) => text.includes('\ufeff') },
];

describe.skipIf(!available)('xmllint', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vnet-xmllint-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Whether xmllint takes each text for a document. */
  function judge(texts: readonly string[]): boolean[] {
    texts.forEach((text, i) => writeFileSync(join(folder, String(i)), text));
    const { stderr } = spawnSync('xmllint', ['--noout', '--nonet', ...texts.map((_, i) => String(i))], { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 28 });
    const refused = new Set([...stderr.matchAll(/^(\d+):\d+: (?:parser|encoding|I\/O) error : /gm)].map(([, name]) => Number(name)));
    return texts.map((_, i) => !refused.has(i));
  }

  it(`accepts and refuses the same ${count} documents`, { timeout: 600_000 }, () => {
    const random = randomNumbers(2026);
    const different: string[] = [];
    let accepted = 0;
    for (let done = 0; done < count; done += batchSize) {
      const texts = Array.from({ length: batchSize }, (_, i) => (i % 2 === 0 ? madeUp(random) : mutate(samples[random(samples.length)]?.xml ?? '', random)));
      judge(texts).forEach((theirs, i) => {
        const text = texts[i] ?? '';
        accepted += theirs ? 1 : 0;
        if (theirs !== isDocument(text) && !knownDifferences.some(({ is }) => is(text))) different.push(text);
      });
    }
    expect(different).toEqual([]);
    expect(accepted).toBeGreaterThan(count / 10);
    expect(accepted).toBeLessThan(count - count / 10);
  });

  it('reads an entity declaration, which we refuse before anything is expanded', () => {
    const bomb = '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>';
    expect(judge([bomb])).toEqual([true]);
    expect(isDocument(bomb)).toBe(false);
  });
});

function isDocument(text: string): boolean {
  try {
    readXml(text);
    return true;
  } catch (error) {
    if (error instanceof NetworkError) return false;
    throw error;
  }
}

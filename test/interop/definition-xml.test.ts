/**
 * Which texts are XML documents, and what they say: our reader against
 * libxml2's (xmllint) and expat's (Python's), on documents that were spoilt and
 * documents that were made up. VNET_TEST_DOCUMENTS sets how many. Skipped where
 * xmllint (libxml2-utils) or python3 is missing.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { NetworkError } from '../../shared/errors.js';
import { readXml } from '../../shared/definition/xml/read.js';
import type { XmlElement } from '../../shared/definition/xml/tree.js';
import { madeUp, mutate, randomNumbers } from '../unit/definition/mutations.js';
import { samples } from '../unit/definition/samples.js';

const hasXmllint = spawnSync('xmllint', ['--version']).status === 0;
const hasPython = spawnSync('python3', ['-c', 'import xml.parsers.expat']).status === 0;
const count = Number(process.env['VNET_TEST_DOCUMENTS'] ?? 6000);
const batchSize = 500;

/** Where we are stricter, or xmllint is no judge. */
const knownDifferences: readonly { since: string; is: (text: string) => boolean }[] = [
  { since: 'xmllint reads C strings: it sees nothing after a NUL', is: (text) => text.includes('\u0000') },
  { since: 'the XML library takes U+FEFF in a name for white space, so the two readers disagree and the text is refused', is: (text) => text.includes('\ufeff') },
];

describe.skipIf(!hasXmllint)('xmllint', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vnet-xmllint-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Whether xmllint takes each text for a document. */
  function judge(texts: readonly string[]): boolean[] {
    texts.forEach((text, i) => writeFileSync(join(folder, String(i)), text));
    const { stderr } = spawnSync('xmllint', ['--noout', '--nonet', ...texts.map((_, i) => String(i))], { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 28 });
    const refused = new Set([...stderr.matchAll(/^(\d+):\d+: (?:parser|encoding|I\/O) error : /gm)].map(([, name]) => Number(name)));
    return texts.map((_, i) => !refused.has(i));
  }

  it(`T8: accepts and refuses the same ${count} documents`, { timeout: 600_000 }, () => {
    const random = randomNumbers(2026);
    const different: string[] = [];
    let accepted = 0;
    for (let done = 0; done < count; done += batchSize) {
      const texts = documents(batchSize, random);
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

  it('T7: reads an entity declaration, which we refuse before anything is expanded', () => {
    const bomb = '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>';
    expect(judge([bomb])).toEqual([true]);
    expect(isDocument(bomb)).toBe(false);
  });
});

/** An element as the tree's readers agree to write it: name, attributes, then text and elements. */
type Tree = [name: string, attributes: Record<string, string>, ...content: (string | Tree)[]];

const expat = `
import json, sys
from xml.parsers.expat import ParserCreate, ExpatError
def read(text):
    stack = [[None, {}]]
    def start(name, attributes):
        element = [name, attributes]
        stack[-1].append(element)
        stack.append(element)
    def end(name):
        stack.pop()
    def characters(data):
        if isinstance(stack[-1][-1], str) and len(stack[-1]) > 2: stack[-1][-1] += data
        else: stack[-1].append(data)
    parser = ParserCreate('UTF-8')
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, characters
    try:
        parser.Parse(text.encode(), True)
    except ExpatError:
        return None
    return stack[0][2]
for line in sys.stdin:
    print(json.dumps(read(json.loads(line))))
`;

describe.skipIf(!hasPython)('expat (python3)', () => {
  it(`T8: reads the same from ${count} documents`, { timeout: 600_000 }, () => {
    const texts = documents(count, randomNumbers(8));
    const { stdout, stderr } = spawnSync('python3', ['-c', expat], { input: texts.map((text) => `${JSON.stringify(text)}\n`).join(''), encoding: 'utf8', maxBuffer: 2 ** 28 });
    expect(stderr).toBe('');
    const trees = stdout.trim().split('\n').map((line) => JSON.parse(line) as Tree | null);
    let compared = 0;
    texts.forEach((text, i) => {
      const theirs = trees[i];
      if (theirs === null || theirs === undefined || !isDocument(text)) return;
      compared += 1;
      expect(treeOf(readXml(text).root), JSON.stringify(text)).toEqual(theirs);
    });
    expect(compared).toBeGreaterThan(count / 10);
  });
});

function treeOf({ name, attributes, children }: XmlElement): Tree {
  return [name, Object.fromEntries(attributes.map((attribute) => [attribute.name, attribute.value])), ...children.map((child) => (typeof child === 'string' ? child : treeOf(child)))];
}

function documents(howMany: number, random: (below: number) => number): string[] {
  return Array.from({ length: howMany }, (_, i) => {
    const text = i % 2 === 0 ? madeUp(random) : mutate(samples[random(samples.length)]?.xml ?? '', random);
    // Half a surrogate pair has no bytes in UTF-8 that the others could be given.
    return Buffer.from(text).toString();
  });
}

function isDocument(text: string): boolean {
  try {
    readXml(text);
    return true;
  } catch (error) {
    if (error instanceof NetworkError) return false;
    throw error;
  }
}

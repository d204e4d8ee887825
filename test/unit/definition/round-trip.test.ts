/** Reading and printing are a pair: what one gives, the other takes, and nothing changes on the way. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatNetwork, parseNetwork, validateNetwork, type NetworkDefinition } from '../../../shared/definition/index.js';
import type { NetworkError, Problem } from '../../../shared/errors.js';
import { anyDefinition } from './definitions.js';
import { samples } from './samples.js';

const numRuns = Number(process.env['VNET_TEST_RUNS'] ?? 1000);

describe('a definition', () => {
  it('is the same after printing and reading, and nothing is wrong with it', () => {
    fc.assert(fc.property(anyDefinition, (definition) => {
      const { definition: read, warnings } = parseNetwork(formatNetwork(definition), { strict: true });
      expect(read).toEqual(definition);
      expect(warnings).toEqual([]);
    }), { numRuns });
  });

  it('is found right or wrong alike with and without its document', () => {
    fc.assert(fc.property(anyDefinition, anyDefinition, (one, other) => {
      const { forward } = other;
      const mixed: NetworkDefinition = structuredClone({ ...one, ...(forward === undefined ? {} : { forward }) });
      const document = formatNetwork(mixed);
      fc.pre(problemsOf(document, false).length === 0);
      expect(validateNetwork(mixed).map(essence).sort()).toEqual(problemsOf(document, true).map(essence).sort());
    }), { numRuns });
  });
});

describe('a document', () => {
  it('has a canonical form that stays as it is, whatever the document', () => {
    const accepted = samples.filter(({ xml }) => problemsOf(xml, false).length === 0);
    for (const { label, xml } of accepted) {
      const { definition } = parseNetwork(xml, { validate: false });
      const canonical = formatNetwork(definition);
      const again = parseNetwork(canonical, { validate: false, strict: true });
      expect(again, label).toEqual({ definition, warnings: [] });
      expect(formatNetwork(again.definition), label).toBe(canonical);
    }
    expect(accepted.length).toBeGreaterThan(500);
  });
});

/** What is wrong with a document. */
function problemsOf(xml: string, validate: boolean): readonly Problem[] {
  try {
    parseNetwork(xml, { validate });
    return [];
  } catch (error) {
    return (error as NetworkError).problems;
  }
}

function essence({ code, path, message }: Problem): string {
  return `${code} ${path} ${message}`;
}

/** Text from elsewhere must not act on a terminal, and must not change its meaning for programs. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { escapeJson, escapeLine, escapeText, escapeXml, hasUnprintable, widthOf } from '../../../client/cli/escape.js';

describe('a line', () => {
  it.each([
    ['\x1b]0;owned\x07', '\\x1b]0;owned\\x07'],
    ['two\nlines\r', 'two\\x0alines\\x0d'],
    ['\u009b31m', '\\xc2\\x9b31m'],
    ['abc\u202egnp.exe', 'abc\\xe2\\x80\\xaegnp.exe'],
    ['\\x1b', '\\x5cx1b'],
    ['half \ud800 pair', 'half \\xef\\xbf\\xbd pair'],
    ['Zürich 東京 C:\\lab', 'Zürich 東京 C:\\lab'],
  ])('T25: %j is printed as %j', (text, printed) => {
    expect(escapeLine(text)).toBe(printed);
  });

  it('T25: never holds anything unprintable, and two texts never look the same', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => {
      const printed = escapeLine(text);
      expect(hasUnprintable(printed)).toBe(false);
      const back = Buffer.from(printed.replace(/\\x([0-9a-f]{2})|([^])/gu, (_, byte: string | undefined, other: string | undefined) =>
        byte === undefined ? [...Buffer.from(other!)].map((b) => String.fromCharCode(b)).join('') : String.fromCharCode(Number.parseInt(byte, 16))), 'latin1');
      expect(back.toString()).toBe(Buffer.from(text).toString());
    }));
  });
});

it('T25: a text keeps its lines, and later lines cannot pass for ours', () => {
  expect(escapeText('nft failed:\nerror: forged\x1b[2J\n')).toBe('nft failed:\n  error: forged\\x1b[2J');
});

it('T25: JSON, YAML and XML mean the same once escaped', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme-composite' }), fc.constantFrom('\u009b', '\u202e', '\u{e0041}', '\x7f', ''), (text, bad) => {
    const value = [{ name: `${text}${bad}` }];
    const json = escapeJson(JSON.stringify(value, null, 2));
    expect(hasUnprintable(json.replaceAll('\n', ''))).toBe(false);
    expect(JSON.parse(json)).toEqual(value);
    expect(parseYaml(json)).toEqual(value);
  }));
  expect(escapeXml('<title>a\u009bb\t</title>\n')).toBe('<title>a&#x9b;b\t</title>\n');
});

it('wide characters take two columns and combining marks none', () => {
  expect(['abc', '東京', 'e\u0301', '🐧'].map(widthOf)).toEqual([3, 4, 1, 2]);
});

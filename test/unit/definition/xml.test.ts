/** What a document says, as XML has it: line ends, white space in attributes, references, sections, namespaces. */
import { describe, expect, it } from 'vitest';
import { readXml } from '../../../shared/definition/xml/read.js';
import { childElements, textOf } from '../../../shared/definition/xml/tree.js';
import { writeXml } from '../../../shared/definition/xml/write.js';

function attributeOf(xml: string): string | undefined {
  return readXml(xml).root.attributes[0]?.value;
}

describe('an attribute', () => {
  it('has blanks for white space, but keeps what is written as a reference', () => {
    expect(attributeOf("<a b='x\ny\tz\r\nw'/>")).toBe('x y z w');
    expect(attributeOf("<a b='x&#10;y&#9;z&#13;w'/>")).toBe('x\ny\tz\rw');
  });

  it('has its references replaced once', () => {
    expect(attributeOf("<a b='&amp;lt; &lt;&gt;&quot;&apos; &#x41;&#66; &#x1F600;'/>")).toBe(`&lt; <>"' AB \u{1f600}`);
  });

  it('may hold what looks like a tag', () => {
    expect(attributeOf("<a b='/>'/>")).toBe('/>');
    expect(attributeOf('<a b="x > y">t</a>')).toBe('x > y');
  });
});

describe('text', () => {
  it('is one, whatever stands in it', () => {
    expect(readXml('<a>one<!-- no -->, &amp; <![CDATA[<two> &amp;]]>,<?no no?> three</a>').root.children).toEqual(['one, & <two> &amp;, three']);
    expect(textOf(readXml('<a>x<b>y<c>z</c></b>w</a>').root)).toBe('xyzw');
  });

  it('has one kind of line end and keeps its blanks', () => {
    expect(readXml('<a> x\r\ny\rz\n</a>').root.children).toEqual([' x\ny\nz\n']);
  });
});

describe('a character that XML does not allow', () => {
  it.each(['\u0000', '\u001b', '\ufffe', '\ud83d', '\ude00'])('is refused in text, attributes and comments: %j', (character) => {
    for (const xml of [`<a>${character}</a>`, `<a b='${character}'/>`, `<a><!--${character}--></a>`, `<a><![CDATA[${character}]]></a>`]) {
      expect(() => readXml(xml)).toThrow(/is not allowed in XML/);
    }
  });
});

describe('namespaces', () => {
  it('go down from where they are declared', () => {
    const [inner, plain, other] = childElements(readXml("<a xmlns:p='urn:p'><p:b><c xmlns='urn:c'><d/></c></p:b><e/><q:f/></a>").root);
    expect([inner?.namespace, inner?.local]).toEqual(['urn:p', 'b']);
    const [c] = childElements(inner!);
    expect([c, ...childElements(c!)].map((element) => element?.namespace)).toEqual(['urn:c', 'urn:c']);
    expect([plain?.namespace, plain?.local]).toEqual(['', 'e']);
    // Declared nowhere, the prefix is part of the name.
    expect([other?.namespace, other?.local]).toEqual(['', 'q:f']);
  });
});

describe('a tree', () => {
  it('is printed as it was read, but for what XML has no use for', () => {
    const { root } = readXml("<a b='1 &amp; 2'><c/><d>t &lt; u</d></a>");
    expect(writeXml(root)).toBe("<a b='1 &amp; 2'>\n  <c/>\n  <d>t &lt; u</d>\n</a>\n");
    root.children = ['\u0000kept\u001f'];
    expect(writeXml(root)).toBe("<a b='1 &amp; 2'>kept</a>\n");
  });
});

/**
 * Lives here: how a document is spoilt, and how a strange one is made up, from
 * a seed. Does not know: what should become of it.
 */

/** Numbers that look random and are the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Pieces that XML parsers have stumbled over. */
const pieces = [
  '<', '>', '</', '/>', '<a>', '</a>', '<a/>', '<a', "'", '"', '=', '&', '&amp;', '&lt;', '&#10;', '&#x41;', '&#0;', '&#xD800;', '&#x110000;', '&#x1F600;', '&nbsp;', '&;', '&#;', '&#x;', '&amp',
  '<!--', '-->', '--', '<!-- c -->', '<!---->', '<!--->', '<!-- a -- b -->', '<![CDATA[', ']]>', '<![CDATA[x]]>', '<![CDATA[]]>', ']]', '<?pi?>', '<?pi x?>', "<?pi it's?>", '<?xml?>', '<?XML x?>', '<?xml-x y?>', '?>', '<?', '<!', '<!X>',
  "<?xml version='1.0'?>", "<?xml version='1.0' encoding='UTF-8'?>", "<?xml version='1.0' standalone='yes'?>", "<?xml encoding='UTF-8'?>", "<?xml version='1.0' standalone='maybe'?>", "<?xml version='2.0'?>", "<?xml version='1.1'?>",
  ' ', '\n', '\t', '\r', '\r\n', '\u0085', '\u2028', '\u00a0', '\ufeff', '\u0000', '\u0001', '\u000b', '\u007f', '\ufffe', '\uffff', 'é', '\u{1f600}', '\u00b7', '·a', 'a:b', ':a', 'a:', 'xmlns=""', " xmlns:x='urn:x'", ' x:y="1"', '<x:a/>', '<x:y:z/>', '<:a/>',
  ' a="1"', ' a="1" a="2"', " b='<'", " b='&lt;'", " b='>'", " b = '1'", ' b', ' b=1', ' __proto__="1"', '<__proto__/>', '<constructor/>', '<prototype a="1">', '<toString/>', '<1a/>', '<-a/>', '<a.b-c_d/>', '<é/>', '<a\u0301/>', '<\u0301a/>',
];

/** A document with some faults, or none. */
export function mutate(xml: string, random: (below: number) => number): string {
  let text = xml;
  for (let rounds = 1 + random(3); rounds > 0; rounds--) {
    const at = random(text.length + 1);
    const length = random(4) === 0 ? random(12) : random(3);
    const kind = random(4);
    if (kind === 0) text = text.slice(0, at) + text.slice(at + length);
    else if (kind === 1) text = text.slice(0, at) + (pieces[random(pieces.length)] ?? '') + text.slice(at);
    else if (kind === 2) text = text.slice(0, at) + (pieces[random(pieces.length)] ?? '') + text.slice(at + length);
    else text = text.slice(0, at) + text.slice(random(text.length + 1));
  }
  return text;
}

/** A document made of pieces alone, sometimes well-formed. */
export function madeUp(random: (below: number) => number): string {
  const inner = Array.from({ length: random(6) }, () => pieces[random(pieces.length)] ?? '').join('');
  const shapes = [`<a>${inner}</a>`, `<a ${inner}/>`, `<a b='${inner}'/>`, `${inner}<a/>`, `<a/>${inner}`, `<a><b>${inner}</b></a>`, inner, `<!--${inner}--><a/>`, `<a><![CDATA[${inner}]]></a>`, `<a><?p ${inner}?></a>`];
  return shapes[random(shapes.length)] ?? '';
}

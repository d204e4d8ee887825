/**
 * Lives here: whether a text is a well-formed XML document, in one pass and
 * linear time, and where its elements and attributes begin. It exists because
 * the XML library is lenient. Does not know: networks, trees, namespaces.
 *
 * Stricter than XML on purpose: no DOCTYPE (so no entities but the five that
 * XML has), UTF-8 only, and the limits below.
 */
import { isNameCharacter, isNameStart, isXmlCharacter, isXmlSpace } from './characters.js';
import { illFormed } from './positions.js';

/** How large a document may be. The largest network libvirt's own clients send is below these. */
export const xmlLimits = {
  /** In bytes of UTF-8. */
  size: 1024 * 1024,
  /** Elements within each other, the root among them. */
  depth: 32,
  /** Attributes of one element. */
  attributes: 64,
  /** Elements of one document. */
  elements: 50_000,
} as const;

/** An element's start tag, as found. */
export interface ScannedElement {
  name: string;
  /** Of the `<`, in UTF-16 units. */
  offset: number;
  attributes: ScannedAttribute[];
}

/** An attribute, as found. */
export interface ScannedAttribute {
  name: string;
  /** Of the name's first character. */
  offset: number;
}

/** What the scanner saw. */
export interface ScannedDocument {
  /** In document order. */
  elements: ScannedElement[];
  /** The root element's text, with all that means nothing cut out: prologue, comments, instructions. */
  body: string;
}

/**
 * Scans a document.
 *
 * @throws {NetworkError} XML_DETAIL at the first fault or exceeded limit
 */
export function scanXml(text: string): ScannedDocument {
  if (text.length > xmlLimits.size || Buffer.byteLength(text) > xmlLimits.size) {
    throw illFormed(text, -1, `the document is larger than ${xmlLimits.size} bytes`);
  }
  return new Scanner(text).scan();
}

const declaration = new RegExp([
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')/.source,
  /(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][\w.-]*)"|'([A-Za-z][\w.-]*)'))?/.source,
  /(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>/.source,
].join(''));

const reference = /&(?:lt|gt|amp|quot|apos|#([0-9]+)|#x([0-9a-fA-F]+));/y;

class Scanner {
  private at = 0;
  private readonly open: string[] = [];
  private readonly elements: ScannedElement[] = [];
  /** The parts of the text that carry meaning. */
  private readonly kept: string[] = [];
  private keptFrom = 0;

  constructor(private readonly text: string) {}

  scan(): ScannedDocument {
    this.prologue();
    this.keptFrom = this.at;
    if (!this.startsElement()) this.fail(this.at >= this.text.length ? 'the document has no element' : "expected '<' and an element's name");
    this.startTag();
    while (this.open.length > 0) this.content();
    this.cut(this.at);
    this.miscellany();
    if (this.at < this.text.length) this.fail('only one root element is allowed, and nothing but comments may follow it');
    return { elements: this.elements, body: this.kept.join('') };
  }

  /** The declaration and whatever else may stand before the root element. */
  private prologue(): void {
    if (this.text.charCodeAt(0) === 0xfeff) this.at = 1;
    if (/^<\?xml[ \t\r\n?]/.test(this.text.slice(this.at, this.at + 6))) {
      const match = declaration.exec(this.text.slice(this.at, this.at + 512));
      if (match === null) this.fail('the XML declaration is malformed');
      const encoding = match[1] ?? match[2] ?? 'UTF-8';
      if (!/^(utf-?8|us-ascii|ascii)$/i.test(encoding)) this.fail(`the document declares encoding '${encoding}'; only UTF-8 is read`);
      this.at += match[0].length;
    }
    this.miscellany();
  }

  /** White space, comments and instructions around the root element. */
  private miscellany(): void {
    for (;;) {
      this.skipSpace();
      if (this.text.startsWith('<!--', this.at)) this.comment();
      else if (this.text.startsWith('<?', this.at)) this.instruction();
      else if (this.text.startsWith('<!', this.at)) this.fail('a DOCTYPE or other declaration is not allowed in a network document');
      else return;
    }
  }

  /** One piece of an element's content: text up to a `<`, then what begins there. */
  private content(): void {
    this.characters();
    if (this.at >= this.text.length) this.fail(`the document ends inside element <${this.open.at(-1)}>`);
    const next = this.text.charCodeAt(this.at + 1);
    if (next === 0x2f) this.endTag();
    else if (this.text.startsWith('<!--', this.at)) this.aside(() => this.comment());
    else if (next === 0x3f) this.aside(() => this.instruction());
    else if (this.text.startsWith('<![CDATA[', this.at)) this.cdata();
    else if (this.startsElement()) this.startTag();
    else this.fail("'<' begins no element, comment or CDATA section here; write &lt; for the character");
  }

  private startTag(): void {
    const offset = this.at;
    this.at += 1;
    const element: ScannedElement = { name: this.name(), offset, attributes: [] };
    if (this.elements.push(element) > xmlLimits.elements) this.fail(`the document has more than ${xmlLimits.elements} elements`);
    for (;;) {
      const spaced = this.skipSpace();
      const code = this.text.charCodeAt(this.at);
      if (code === 0x3e || code === 0x2f) break;
      if (!spaced) this.fail(`expected white space, '>' or '/>' in the start tag of <${element.name}>`);
      this.attribute(element);
    }
    if (this.open.length >= xmlLimits.depth) this.fail(`elements are nested more than ${xmlLimits.depth} deep`, offset);
    if (this.text.charCodeAt(this.at) === 0x3e) {
      this.at += 1;
      this.open.push(element.name);
    } else if (this.text.charCodeAt(this.at + 1) === 0x3e) {
      this.at += 2;
    } else {
      this.fail(`expected '/>' in the tag of <${element.name}>`);
    }
  }

  private attribute(element: ScannedElement): void {
    const offset = this.at;
    const name = this.name();
    if (element.attributes.some((other) => other.name === name)) this.fail(`attribute '${name}' occurs twice in <${element.name}>`, offset);
    if (element.attributes.push({ name, offset }) > xmlLimits.attributes) {
      this.fail(`element <${element.name}> has more than ${xmlLimits.attributes} attributes`, offset);
    }
    this.skipSpace();
    if (this.text.charCodeAt(this.at) !== 0x3d) this.fail(`attribute '${name}' has no value`, offset);
    this.at += 1;
    this.skipSpace();
    const quote = this.text.charCodeAt(this.at);
    if (quote !== 0x22 && quote !== 0x27) this.fail(`the value of attribute '${name}' is not in quotes`);
    this.at += 1;
    while (this.text.charCodeAt(this.at) !== quote) {
      if (this.at >= this.text.length) this.fail(`the value of attribute '${name}' has no closing quote`, offset);
      if (this.text.charCodeAt(this.at) === 0x3c) this.fail(`'<' is not allowed in the value of attribute '${name}'; write &lt;`);
      this.character();
    }
    this.at += 1;
  }

  private endTag(): void {
    const offset = this.at;
    this.at += 2;
    const name = this.name();
    this.skipSpace();
    if (this.text.charCodeAt(this.at) !== 0x3e) this.fail(`expected '>' after </${name}`);
    this.at += 1;
    const expected = this.open.pop();
    if (name !== expected) this.fail(`element <${expected}> is closed by </${name}>`, offset);
  }

  private characters(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code === 0x3c || this.at >= this.text.length) return;
      if (code === 0x5d && this.text.startsWith(']]>', this.at)) this.fail("']]>' is not allowed in text; write ]]&gt;");
      this.character();
    }
  }

  /** One character of text or of an attribute's value: itself, or a reference to it. */
  private character(): void {
    if (this.text.charCodeAt(this.at) !== 0x26) {
      this.plainCharacter();
      return;
    }
    reference.lastIndex = this.at;
    const match = reference.exec(this.text);
    if (match === null) {
      this.fail("'&' begins no known reference; write &amp; for the character (entities other than lt, gt, amp, quot, apos do not exist here)");
    }
    const number = match[1] !== undefined ? Number(match[1]) : match[2] !== undefined ? Number.parseInt(match[2], 16) : 0x20;
    if (!isXmlCharacter(number)) this.fail(`${match[0].slice(0, 20)} refers to no character that XML allows`);
    this.at += match[0].length;
  }

  private plainCharacter(): void {
    const code = this.text.charCodeAt(this.at);
    if (code >= 0x20 && code < 0xd800) {
      this.at += 1;
      return;
    }
    const point = this.text.codePointAt(this.at) ?? 0;
    if (!isXmlCharacter(point)) this.fail(`character U+${point.toString(16).toUpperCase().padStart(4, '0')} is not allowed in XML`);
    this.at += point > 0xffff ? 2 : 1;
  }

  private comment(): void {
    const offset = this.at;
    this.at += 4;
    while (!this.text.startsWith('--', this.at)) {
      if (this.at >= this.text.length) this.fail('a comment is not closed', offset);
      this.plainCharacter();
    }
    if (this.text.charCodeAt(this.at + 2) !== 0x3e) this.fail("'--' is not allowed in a comment");
    this.at += 3;
  }

  private instruction(): void {
    const offset = this.at;
    this.at += 2;
    const target = this.name();
    if (target.toLowerCase() === 'xml') this.fail('an XML declaration may stand only at the very beginning', offset);
    if (!this.skipSpace() && !this.text.startsWith('?>', this.at)) this.fail(`expected white space or '?>' after <?${target}`);
    while (!this.text.startsWith('?>', this.at)) {
      if (this.at >= this.text.length) this.fail('a processing instruction is not closed', offset);
      this.plainCharacter();
    }
    this.at += 2;
  }

  private cdata(): void {
    const offset = this.at;
    this.at += 9;
    while (!this.text.startsWith(']]>', this.at)) {
      if (this.at >= this.text.length) this.fail('a CDATA section is not closed', offset);
      this.plainCharacter();
    }
    this.at += 3;
  }

  private name(): string {
    const start = this.at;
    let code = this.text.codePointAt(this.at) ?? -1;
    if (!isNameStart(code)) this.fail('expected a name');
    while (isNameCharacter(code)) {
      this.at += code > 0xffff ? 2 : 1;
      code = this.text.codePointAt(this.at) ?? -1;
    }
    return this.text.slice(start, this.at);
  }

  private skipSpace(): boolean {
    const start = this.at;
    while (isXmlSpace(this.text.charCodeAt(this.at))) this.at += 1;
    return this.at > start;
  }

  private startsElement(): boolean {
    return this.text.charCodeAt(this.at) === 0x3c && isNameStart(this.text.codePointAt(this.at + 1) ?? -1);
  }

  /** Passes over something that means nothing and leaves it out of the body. */
  private aside(pass: () => void): void {
    this.cut(this.at);
    pass();
    this.keptFrom = this.at;
  }

  private cut(end: number): void {
    this.kept.push(this.text.slice(this.keptFrom, end));
  }

  private fail(message: string, offset = this.at): never {
    throw illFormed(this.text, offset, message);
  }
}

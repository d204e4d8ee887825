/**
 * Lives here: the defences against what documents say, T1 to T9. Does not
 * know: how a test is run.
 */
import { defence, type Defence } from './defence.js';

const safeText = 'server/host/safe-text.ts';
const confLine = 'server/host/dnsmasq/conf-line.ts';
const values = 'shared/definition/codec/values.ts';
const scan = 'shared/definition/xml/scan.ts';
const overlap = 'server/driver/overlap.ts';
const rules = 'server/host/firewall/nftables-rules.ts';

const hostileText = 'test/unit/host/hostile-text.test.ts';
const everyPlace = 'test/unit/definition/every-place.test.ts';
const hostile = 'test/unit/definition/hostile.test.ts';
const overlapTest = 'test/unit/driver/overlap.test.ts';
const options = 'test/interop/dnsmasq-options.test.ts';
const xml = 'test/interop/definition-xml.test.ts';

const allTold = [hostile, 'T7: of %s are told'] as const;
const control = [values, 'const control = /[\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]/;', 'const control = /[\\u0000]/;'] as const;

export const ofDocuments: readonly Defence[] = [
  defence('T1', 'no control character is handed to the host',
    [safeText, "if (/[\\p{Cc}\\u2028\\u2029]/u.test(text)) throw refuse(text, 'has control characters');", ''],
    [hostileText, 'T1, T3, T4: does not get out of']),
  defence('T1', 'a word is one word',
    [safeText, "if (safeLine(text) === '' || /[\\s,\"'`#\\\\/;|]/.test(text)) throw refuse(text, 'is not one word');", ''],
    [hostileText, 'T1, T3, T4: does not get out of']),
  defence('T1', 'what may be any text is quoted',
    [confLine, "return `\"${value.replace(/[\"\\\\]/g, '\\\\$&')}\"`;", 'return value;'],
    [hostileText, 'T1: is quoted where any text may stand']),
  defence('T1', 'a document has no control character', control, [everyPlace, 'T1: in any place of any network']),
  defence('T1', 'nor has an update', control, [everyPlace, 'T1: in any place of any update']),
  defence('T1', 'a name of DNS ends no field',
    [values, '/^[\\p{L}\\p{N}\\p{M}_.-]+$/u.test(text) && Buffer.byteLength(text) <= 253);', 'Buffer.byteLength(text) <= 253);'],
    [hostile, 'T1: %s never holds a character that could end a field']),

  defence('T2', 'a name is one of a file',
    ['server/driver/file-store.ts', "if (name === '' || name === '.' || name === '..' || /[/\\p{Cc}]/u.test(name) || Buffer.byteLength(name) > 200) {", "if (name === '') {"],
    ['test/unit/server/file-store.test.ts', 'T2: reaches no file outside the store']),
  defence('T2', 'a name for dnsmasq\'s files has plain characters',
    [safeText, 'return /[A-Za-z0-9_.-]/.test(character) ? character', 'return /[^ ]/.test(character) ? character'],
    [hostileText, 'T2: makes no file name that leaves']),
  defence('T2', 'a file is replaced, not written through a link',
    ['server/files.ts', '    step(`rename ${path}`);\n    renameSync(temporary, path);', '    writeFileSync(path, content);'],
    ['test/unit/server/file-store.test.ts', 'T2: of a link leads nowhere']),

  defence('T3', 'an interface has a name that every tool reads',
    [safeText, 'if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(name) && ', 'if ('], [hostileText, 'T3: is no interface']),
  defence('T3', 'it is none of the folders beside those of interfaces',
    [safeText, ' && !reservedNames.has(name)', ''], [hostileText, 'T3: is no interface']),
  defence('T3', 'a document names no others either',
    [values, 'return /^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,14}$/.test(text) && ', 'return '], [hostile, 'T2, T3: names no file outside']),

  defence('T4', 'a device is quoted in a rule',
    [rules, "`${side} \"${safeInterface(device)}\"`", '`${side} ${safeInterface(device)}`'], [hostileText, 'T4: stands in quotes']),
  defence('T4', 'a bridge is quoted in a rule',
    [rules, 'enter: [`iifname "${bridge}" return`', 'enter: [`iifname ${bridge} return`'], [hostileText, 'T4: stands in quotes']),

  defence('T5', 'a subnet is none of the host\'s',
    [overlap, ' ?? findClash(wanted, subnetsOfRoutes(routes), isOther)', ' ?? findClash(wanted, [], isOther)'], [overlapTest, 'T5: is refused:']),
  defence('T5', 'nor another network\'s',
    [overlap, 'findClash(wanted, subnetsOfOthers(register, record)) ?? ', ''], [overlapTest, 'T5: is refused:']),
  defence('T5', 'whichever is the larger one',
    [overlap, 'network <= wanted.last && wanted.network <= last && counts(each)', 'network === wanted.network && last === wanted.last && counts(each)'],
    [overlapTest, 'T5: is refused:']),
  defence('T5', 'a static route takes nobody\'s traffic',
    [overlap, '  refuseTakenRoutes(register, record, definition, routes);\n', ''], [overlapTest, 'T5: that takes what is sent to others']),
  defence('T5', 'and not everybody\'s',
    [overlap, 'if (clash === undefined && target.prefix > 0) continue;', 'if (clash === undefined) continue;'], [overlapTest, 'T5: that takes what is sent to others']),

  defence('T6', 'options that reach beyond the network are refused',
    [confLine, 'if (refusedOptions.has(name)) {', "if (name === '') {"], [options, 'T6: every option']),
  defence('T6', 'one that writes a file as root is among them', [confLine, "'dnssec-timestamp', ", ''], [options, 'T6: every option']),
  defence('T6', 'a line is one option',
    [confLine, '/^\\s*([a-z][a-z0-9-]*)\\s*(?:=.*)?$/u.exec(safeLine(line))', '/^\\s*(.*?)\\s*(?:=.*)?$/su.exec(line)'], [hostileText, 'T6: is refused if it runs programs']),

  defence('T7', 'a caller is looked at before the request',
    ['server/access/access.ts', 'if (permission !== undefined) throw denied({ procedure: name, permission, who: call.identity.name });', ''],
    ['test/interop/bombs.test.ts', 'T7: a thousand documents']),
  defence('T7', 'a document has a size',
    [scan, 'if (text.length > xmlLimits.size || Buffer.byteLength(text) > xmlLimits.size) {', 'if (text.length < 0) {'], allTold),
  defence('T7', 'elements are counted', [scan, 'if (this.elements.push(element) > xmlLimits.elements)', 'if (this.elements.push(element) < 0)'], allTold),
  defence('T7', 'elements are so deep', [scan, 'if (this.open.length >= xmlLimits.depth)', 'if (this.open.length < 0)'], allTold),
  defence('T7', 'attributes are counted',
    [scan, 'if (element.attributes.push({ name, offset }) > xmlLimits.attributes) {', 'if (element.attributes.push({ name, offset }) < 0) {'], allTold),

  defence('T8', 'an element is closed by its own tag',
    [scan, 'if (name !== expected) this.fail', "if (name === '') this.fail"], [xml, 'T8: accepts and refuses the same']),
  defence('T8', 'no text has what ends a section',
    [scan, "if (code === 0x5d && this.text.startsWith(']]>', this.at)) this.fail(\"']]>' is not allowed in text; write ]]&gt;\");", ''], [xml, 'T8: accepts and refuses the same']),
  defence('T8', 'an attribute has blanks for line ends',
    ['shared/definition/xml/read.ts', "decode(value.replace(/[\\t\\n\\r]/g, ' '))", 'decode(value)'], [xml, 'T8: reads the same from']),

  defence('T9', 'every name of an element is an ordinary key',
    ['shared/definition/xml/read.ts', "const elementMark = '~';", "const elementMark = '';"], [hostile, 'T9: %s is a name like any other']),
  defence('T9', 'and every name of an attribute',
    ['shared/definition/xml/read.ts', "const attributeMark = '@';", "const attributeMark = '';"], [hostile, 'T9: %s is a name like any other']),
];

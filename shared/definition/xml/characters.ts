/**
 * Lives here: which characters XML 1.0 (fifth edition) allows where, as plain
 * predicates on code points. Does not know: documents.
 */

/** Whether a code point may stand in a document at all (production 2, Char). */
export function isXmlCharacter(code: number): boolean {
  if (code < 0x20) return code === 0x9 || code === 0xa || code === 0xd;
  return code <= 0xd7ff || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x10000 && code <= 0x10ffff);
}

/** Whether a code unit is white space (production 3, S). */
export function isXmlSpace(code: number): boolean {
  return code === 0x20 || code === 0xa || code === 0x9 || code === 0xd;
}

const startRanges: readonly (readonly [number, number])[] = [
  [0xc0, 0xd6], [0xd8, 0xf6], [0xf8, 0x2ff], [0x370, 0x37d], [0x37f, 0x1fff], [0x200c, 0x200d], [0x2070, 0x218f],
  [0x2c00, 0x2fef], [0x3001, 0xd7ff], [0xf900, 0xfdcf], [0xfdf0, 0xfffd], [0x10000, 0xeffff],
];
const laterRanges: readonly (readonly [number, number])[] = [[0xb7, 0xb7], [0x300, 0x36f], [0x203f, 0x2040]];

/** Whether a code point may begin a name (production 4). */
export function isNameStart(code: number): boolean {
  if (code < 0x80) {
    return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f || code === 0x3a;
  }
  return startRanges.some(([low, high]) => code >= low && code <= high);
}

/** Whether a code point may stand in a name after its first (production 4a). */
export function isNameCharacter(code: number): boolean {
  if (code < 0x80) return isNameStart(code) || (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2e;
  return isNameStart(code) || laterRanges.some(([low, high]) => code >= low && code <= high);
}

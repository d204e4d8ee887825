/**
 * Lives here: how a stream's bytes are messages: how much of one has arrived,
 * and in how many pieces. Does not know: HTTP/2, what a message says.
 */

/** The length of what stands before each message: whether it is compressed, and how long it is. */
const prefix = 5;

/**
 * How many pieces a message may come in: a piece for each 256 bytes, and some
 * more, for the edges of windows and packets. Each piece costs the library a
 * hundred bytes of memory and a step of its loop, whatever is in it.
 */
const piecesFree = 32;
const bytesPerPiece = 256;

/** What has arrived of a stream. Bytes are looked at, and not kept. */
export class Messages {
  /** Messages that have arrived whole. */
  whole = 0;
  /** Bytes of the one that has not, its prefix among them. */
  partial = 0;
  /** Pieces of it. */
  pieces = 0;
  /** How long the longest says it is. */
  longest = 0;
  #length = 0;

  /**
   * Takes the next piece.
   *
   * @returns false if the message comes in too many pieces
   */
  take(piece: Uint8Array): boolean {
    let at = 0;
    while (at < piece.length) {
      if (this.partial < prefix) at = this.#readPrefix(piece, at);
      if (this.partial < prefix) break;
      if (this.#length > this.longest) this.longest = this.#length;
      const taken = Math.min(this.#length + prefix - this.partial, piece.length - at);
      at += taken;
      this.partial += taken;
      if (this.partial < this.#length + prefix) break;
      this.whole += 1;
      this.partial = 0;
      this.pieces = 0;
      this.#length = 0;
    }
    if (this.partial > 0) this.pieces += 1;
    return this.pieces <= piecesFree + this.partial / bytesPerPiece;
  }

  #readPrefix(piece: Uint8Array, start: number): number {
    let at = start;
    while (this.partial < prefix && at < piece.length) {
      // The first byte says whether it is compressed.
      if (this.partial > 0) this.#length = this.#length * 256 + piece[at]!;
      this.partial += 1;
      at += 1;
    }
    return at;
  }
}

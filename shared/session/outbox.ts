/**
 * Lives here: frames on their way out of a session: several go into one
 * message, and only as many as the other side takes. The same on both ends.
 * Does not know: what a frame is, gRPC.
 */

/** The most frames that one message of a session may hold; see session.proto. */
export const framesInMessage = 1024;

/** A message is closed when it has this many bytes: enough to be worth it, little enough to be on its way soon, and below the limit of every socket. */
const messageBytes = 32 * 1024;

/** What a frame costs beside what it carries, in bytes. */
const frameBytes = 64;

/**
 * Gathers frames. A message goes out when all that is being done at the moment
 * is done, so that whoever does fifty things at once sends one message; while
 * it is on its way, further frames gather for the next.
 */
export class Outbox<Frame> {
  readonly #write: (frames: Frame[], taken: () => void) => void;
  readonly #limit: number;
  #frames: { frame: Frame; bytes: number }[] = [];
  #bytes = 0;
  #scheduled = false;
  #closed = false;
  #writingSince: number | undefined;
  #waiting: (() => void)[] = [];

  /**
   * @param write sends frames as one message, and tells when the transport has taken it
   * @param limit how many bytes may wait before it is full
   */
  constructor(write: (frames: Frame[], taken: () => void) => void, limit: number) {
    this.#write = write;
    this.#limit = limit;
  }

  /** Whether the other side should take something before more is made for it. */
  get full(): boolean {
    return this.#bytes >= this.#limit;
  }

  /** Bytes that the transport has not been given. */
  get waiting(): number {
    return this.#frames.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Whether everything is with the transport. */
  get empty(): boolean {
    return this.#frames.length === 0 && this.#writingSince === undefined;
  }

  /** Since when the transport has not taken a message, as performance.now() tells the time; undefined if none waits. */
  get stuckSince(): number | undefined {
    return this.#writingSince;
  }

  /**
   * Takes a frame.
   *
   * @param payload how many bytes it carries
   */
  push(frame: Frame, payload: number): void {
    if (this.#closed) return;
    const bytes = payload + frameBytes;
    this.#frames.push({ frame, bytes });
    this.#bytes += bytes;
    if (this.#scheduled || this.#writingSince !== undefined) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Waits until it is no longer full, or is closed, or the signal says that nobody cares. */
  async room(over: AbortSignal): Promise<void> {
    while (this.full && !this.#closed && !over.aborted) await this.taken(over);
  }

  /** Waits until the transport has taken what it has, or the outbox is closed, or the signal says that nobody cares. */
  taken(over?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        over?.removeEventListener('abort', done);
        resolve();
      };
      over?.addEventListener('abort', done, { once: true });
      this.#waiting.push(done);
    });
  }

  /** Sends nothing any more. Gives the frames that were never with the transport. */
  close(): Frame[] {
    this.#closed = true;
    const left = this.#frames.map(({ frame }) => frame);
    this.#frames = [];
    this.#bytes = 0;
    this.#wake();
    return left;
  }

  #flush(): void {
    if (this.#closed || this.#writingSince !== undefined || this.#frames.length === 0) return;
    let count = 0;
    let bytes = 0;
    while (count < this.#frames.length && count < framesInMessage && bytes < messageBytes) bytes += this.#frames[count++]!.bytes;
    const frames = this.#frames.splice(0, count).map(({ frame }) => frame);
    this.#writingSince = performance.now();
    this.#write(frames, () => {
      this.#writingSince = undefined;
      this.#bytes -= bytes;
      this.#flush();
      this.#wake();
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

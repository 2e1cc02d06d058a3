/** A mask as run lengths in row-major order, beginning with background; its picture and its outline. */

/** Run lengths of a mask of bytes 0 and 1. */
export function encode(bits) {
  const runs = [];
  for (let at = 0, value = 0; at < bits.length; value = 1 - value) {
    const next = bits.indexOf(1 - value, at);
    const end = next < 0 ? bits.length : next;
    runs.push(end - at);
    at = end;
  }
  return runs;
}

/** A mask of bytes 0 and 1. */
export function decode(runs, size) {
  const bits = new Uint8Array(size);
  let at = 0;
  for (let n = 0; n < runs.length; n++) {
    if (n % 2) bits.fill(1, at, at + runs[n]);
    at += runs[n];
  }
  return bits;
}

/** Whether these are run lengths of a mask with ``size`` pixels. */
export const fits = (runs, size) =>
  Array.isArray(runs) && runs.every((length) => Number.isInteger(length) && length >= 0)
  && runs.reduce((sum, length) => sum + length, 0) === size;

export class Mask {
  #picture = null;
  #outline = null;
  #colour = "";

  constructor(runs, width, height) {
    this.runs = runs;
    this.width = width;
    this.height = height;
    this.area = runs.reduce((sum, length, n) => sum + (n % 2) * length, 0);
    const last = runs.length % 2 ? runs.length - 1 : runs.length; // the end of the last run of foreground
    this.top = this.area ? Math.floor(runs[0] / width) : 0;
    const end = runs.slice(0, last).reduce((sum, length) => sum + length, 0);
    this.bottom = this.area ? Math.ceil(end / width) : 0;
  }

  /** The rows from top to bottom in ``colour`` (#rrggbb), clear outside the mask. @returns {?OffscreenCanvas} */
  picture(colour) {
    if (!this.area || this.#colour === colour) return this.#picture;
    const shade = parseInt(colour.slice(1), 16);
    const pixels = new ImageData(this.width, this.bottom - this.top);
    const words = new Uint32Array(pixels.data.buffer); // bytes R, G, B, A: in memory the first is the lowest
    const word = (0xff000000 | (shade & 0xff) << 16 | (shade & 0xff00) | shade >> 16) >>> 0;
    let at = -this.top * this.width;
    this.runs.forEach((length, n) => {
      if (n % 2) words.fill(word, at, at + length);
      at += length;
    });
    const canvas = new OffscreenCanvas(pixels.width, pixels.height);
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    this.#colour = colour;
    this.#picture = canvas;
    return canvas;
  }

  /** Frees what was drawn; it is drawn again when it is wanted. */
  forget() {
    this.#picture = this.#outline = null;
    this.#colour = "";
  }

  /** The border between the mask's pixels and the others, along the edges of pixels. @returns {Path2D} */
  outline() {
    if (this.#outline) return this.#outline;
    const path = this.#outline = new Path2D();
    const rows = this.#rows();
    let above = [];
    for (let y = this.top; y <= this.bottom; y++) {
      const here = rows[y - this.top] ?? [];
      for (const x of here) {
        path.moveTo(x, y);
        path.lineTo(x, y + 1);
      }
      // In order, the ends of two rows' pieces enclose in pairs what only one of the rows has.
      const ends = [...above, ...here].sort((a, b) => a - b);
      for (let n = 0; n < ends.length; n += 2) {
        if (ends[n] === ends[n + 1]) continue;
        path.moveTo(ends[n], y);
        path.lineTo(ends[n + 1], y);
      }
      above = here;
    }
    return path;
  }

  /** For each row the ends of its pieces: begin, end, begin, end … */
  #rows() {
    const rows = Array.from({ length: this.bottom - this.top }, () => []);
    let at = 0;
    this.runs.forEach((length, n) => {
      for (let from = at; n % 2 && from < at + length;) {
        const row = Math.floor(from / this.width);
        const to = Math.min(at + length, (row + 1) * this.width);
        rows[row - this.top].push(from - row * this.width, to - row * this.width);
        from = to;
      }
      at += length;
    });
    return rows;
  }
}

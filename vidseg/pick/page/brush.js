/** The brush: it begins with the object's mask on the screen, and what it leaves becomes the prompt. */

import { post } from "./api.js";
import { app, busyWith, changed } from "./app.js";
import { setMask } from "./edits.js";
import { decode, encode, Mask } from "./mask.js";
import { fail } from "./messages.js";
import { change } from "./sync.js";

const SMALLEST = 1;
const LARGEST = 400;

/** @type {?{bits: Uint8Array, last: number[], value: number, frame: number, object: number}} */
let stroke = null;

/** Makes the brush larger or smaller, in steps that feel alike at every size. */
export function resize(larger) {
  const step = Math.max(1, Math.round(app.brush / 5));
  app.brush = Math.min(Math.max(app.brush + (larger ? step : -step), SMALLEST), LARGEST);
  changed();
}

/** Begins a stroke at a pixel; ``erase`` takes away. */
export function begin(pixel, erase) {
  const { width, height } = app.video;
  const mask = app.masks?.frame === app.frame ? app.masks.objects.get(app.object) : null;
  const bits = decode(mask?.runs ?? [], width * height);
  stroke = { bits, last: pixel, value: erase ? 0 : 1, frame: app.frame, object: app.object };
  extend(pixel);
}

/** Goes on to a pixel. */
export function extend(pixel) {
  if (!stroke) return;
  const { bits, last, value } = stroke;
  const steps = Math.max(1, Math.ceil(Math.hypot(pixel[0] - last[0], pixel[1] - last[1]) / Math.max(app.brush / 6, 1)));
  for (let n = 1; n <= steps; n++) {
    const at = [0, 1].map((axis) => last[axis] + ((pixel[axis] - last[axis]) * n) / steps);
    disc(bits, at, app.brush / 2, value);
  }
  stroke.last = pixel;
  app.stroke = new Mask(encode(bits), app.video.width, app.video.height);
  changed();
}

/** Ends the stroke and makes its mask the object's prompt on the frame. */
export async function end(at) {
  if (!stroke) return;
  const { frame, object } = stroke;
  const mask = app.stroke;
  stroke = null;
  app.click = { at, shown: false };
  await busyWith(async () => {
    try {
      const { width, height } = app.video;
      const hash = mask.area ? (await post("api/masks", { width, height, runs: mask.runs })).mask : null;
      const others = app.masks?.frame === frame ? app.masks.objects : [];
      app.masks = { of: app.masks?.of, frame, revision: -1, objects: new Map(others).set(object, mask) }; // until the server's come
      change((doc) => setMask(doc, frame, object, hash));
    } catch (error) {
      fail(error);
    } finally {
      if (!stroke) app.stroke = null;
    }
  });
}

/** Drops the stroke. */
export function cancel() {
  stroke = app.stroke = null;
  changed();
}

function disc(bits, [cx, cy], radius, value) {
  const { width, height } = app.video;
  for (let y = Math.max(0, Math.ceil(cy - radius)); y <= Math.min(height - 1, cy + radius); y++) {
    const half = Math.sqrt(radius * radius - (y - cy) ** 2);
    const from = Math.max(0, Math.ceil(cx - half));
    const to = Math.min(width - 1, Math.floor(cx + half));
    if (from <= to) bits.fill(value, y * width + from, y * width + to + 1);
  }
}

/** Pictures of frames: the wanted one is fetched, shown when it comes, and never covered by one wanted earlier. */

import { picture } from "./api.js";
import { app, busyWith, changed } from "./app.js";
import { known, refresh, show } from "./masks.js";
import { fail } from "./messages.js";
import { LOSSLESS, view } from "./view.js";

const KEPT = 400e6; // bytes of pictures
const AT_ONCE = 2; // one that is stuck doesn't hold up the next, and a slow line isn't flooded

/** @type {Map<string, Promise<ImageBitmap>>} the latest last */
const pictures = new Map();
let wishes = 0;
let shownWish = 0;
let underWay = 0;
let asked = "";

const lossless = () => view.scale >= LOSSLESS;
const keyOf = (frame, whole) => `${frame} ${whole}`;

/** The place of a frame in the video's list of frames, or that of the next one. */
export function placeOf(frame) {
  const { frames } = app.video;
  let [low, high] = [0, frames.length - 1];
  while (low < high) { // videos have a hundred thousand frames, and every mark asks
    const middle = (low + high) >> 1;
    if (frames[middle] < frame) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Goes to a frame of the video, or the nearest that there is. */
export function go(frame) {
  app.frame = app.video.frames[placeOf(frame)];
  changed();
  void load();
}

/** Goes so many frames on. */
export function move(by) {
  const { frames } = app.video;
  go(frames[Math.min(Math.max(placeOf(app.frame) + by, 0), frames.length - 1)]);
}

/** Fetches what the screen should show and doesn't: another frame, or the same without losses. */
export async function load() {
  const frame = app.frame;
  const whole = lossless();
  if (asked === keyOf(frame, whole) || underWay === AT_ONCE) return;
  asked = keyOf(frame, whole);
  const wish = ++wishes;
  underWay += 1;
  await busyWith(async () => {
    try {
      const [bitmap, masks] = await Promise.all([fetched(frame, whole), known(frame)]);
      if (wish < shownWish) return; // a later wish came sooner
      shownWish = wish;
      const moved = app.shown?.frame !== frame;
      app.shown = { frame, lossless: whole, picture: bitmap };
      if (moved) app.suggestions = null;
      if (moved && masks) show(masks);
    } catch (error) {
      if (wish === wishes) fail(error);
    } finally {
      underWay -= 1;
    }
  });
  if (app.frame !== frame || lossless() !== whole) return void load();
  if (app.shown?.frame !== frame) asked = ""; // it may be asked for again
  else await refresh();
  ahead(frame);
}

function fetched(frame, whole) {
  const key = keyOf(frame, whole);
  const found = pictures.get(key) ?? picture(frame, whole);
  pictures.delete(key);
  pictures.set(key, found);
  found.catch(() => pictures.delete(key));
  const room = Math.max(4, KEPT / (4 * app.video.width * app.video.height));
  for (const old of pictures.keys()) {
    if (pictures.size <= room) break;
    pictures.delete(old);
  }
  return found;
}

/** The frames beside this one, so that a step needs no wait. */
function ahead(frame) {
  if (lossless()) return;
  const place = placeOf(frame);
  for (const near of [app.video.frames[place + 1], app.video.frames[place - 1]]) {
    if (near !== undefined && frame === app.frame) fetched(near, false).catch(() => {});
  }
}

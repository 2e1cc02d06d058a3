/** Where the frame lies on the stage: zoom, pan, and which pixel of the video is where. */

import { app, changed } from "./app.js";

const LARGEST = 64;
const MARGIN = 12; // around a fitted frame, in pixels of the page
const KEPT = 48; // of the frame, so much stays on the stage
export const CRISP = 2; // from this zoom on single pixels are drawn as squares
export const PIXEL_FROM = 6; // from this zoom on the pixel under the pointer has a frame
export const LOSSLESS = 4; // from this zoom on pictures without a codec's losses are worth their size

/** @type {HTMLCanvasElement} */
const stage = document.getElementById("stage");

/**
 * scale: pixels of the page per pixel of the video; x, y: of the frame's corner on the stage; width, height: of the stage
 * in pixels of the device; ratio: of those to the page's
 */
export const view = { scale: 1, x: 0, y: 0, width: 0, height: 0, ratio: devicePixelRatio, fitted: true };

/** Where a pointer is in the video, in fractions of pixels. */
export function toVideo({ clientX, clientY }) {
  const corner = stage.getBoundingClientRect();
  return [(clientX - corner.left - view.x) / view.scale, (clientY - corner.top - view.y) / view.scale];
}

/** The video's pixel at a place in the video: the one that it lies in, or the nearest of the frame. */
export function pixelAt([x, y]) {
  const { width, height } = app.video;
  return [Math.min(Math.max(Math.floor(x), 0), width - 1), Math.min(Math.max(Math.floor(y), 0), height - 1)];
}

/** How far a place in the video is from the frame, in pixels of the page; 0 inside. */
export function outside([x, y]) {
  const { width, height } = app.video;
  return view.scale * Math.hypot(Math.max(-x, 0, x - width), Math.max(-y, 0, y - height));
}

/** Shows the whole frame, as large as the stage has room for. */
export function fit() {
  const { width, height } = app.video;
  const { clientWidth, clientHeight } = stage;
  const room = [Math.max(clientWidth - 2 * MARGIN, 1), Math.max(clientHeight - 2 * MARGIN, 1)];
  const scale = Math.min(room[0] / width, room[1] / height);
  place(scale, (clientWidth - scale * width) / 2, (clientHeight - scale * height) / 2);
  view.fitted = true;
}

/** Zooms by ``factor``; what is at the pointer stays there, and without a pointer the middle of the stage does. */
export function zoom(factor, pointer) {
  const corner = stage.getBoundingClientRect();
  const middle = { clientX: corner.left + corner.width / 2, clientY: corner.top + corner.height / 2 };
  const { clientX, clientY } = pointer ?? middle;
  const [x, y] = toVideo({ clientX, clientY });
  const scale = Math.min(Math.max(view.scale * factor, smallest()), LARGEST);
  place(scale, clientX - corner.left - x * scale, clientY - corner.top - y * scale);
}

/** Moves the frame by so many pixels of the page. */
export const pan = (dx, dy) => place(view.scale, view.x + dx, view.y + dy);

/** Brings a pixel of the video onto the stage, if it isn't there. */
export function reveal([x, y]) {
  const at = [view.x + (x + 0.5) * view.scale, view.y + (y + 0.5) * view.scale];
  const there = at[0] >= 0 && at[1] >= 0 && at[0] < stage.clientWidth && at[1] < stage.clientHeight;
  if (!there) pan(stage.clientWidth / 2 - at[0], stage.clientHeight / 2 - at[1]);
}

function smallest() {
  const { width, height } = app.video;
  return Math.min(stage.clientWidth / width, stage.clientHeight / height, 1) / 2;
}

function place(scale, x, y) {
  const { width, height } = app.video;
  const within = (value, size, room) => Math.min(Math.max(value, KEPT - size * scale), room - KEPT);
  const whole = (value) => Math.round(value * view.ratio) / view.ratio; // pixels begin where the device's do
  view.scale = scale;
  view.x = whole(within(x, width, stage.clientWidth));
  view.y = whole(within(y, height, stage.clientHeight));
  view.fitted = false;
  changed();
}

/** Follows the size of the stage, and the device pixel ratio, which another screen or the browser's zoom changes. */
export function watchSize() {
  const observer = new ResizeObserver(([entry]) => resize(entry.devicePixelContentBoxSize?.[0]));
  try {
    observer.observe(stage, { box: "device-pixel-content-box" });
  } catch {
    observer.observe(stage); // Safari knows no such box
  }
  watchRatio();
}

function watchRatio() {
  matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", () => {
    resize();
    watchRatio();
  }, { once: true });
}

/** @param {ResizeObserverSize} [exact] the stage in whole pixels of the device, where the browser knows it */
function resize(exact) {
  view.ratio = devicePixelRatio;
  const size = (css, whole) => (Math.abs(whole - css * view.ratio) < 2 ? whole : Math.round(css * view.ratio));
  view.width = size(stage.clientWidth, exact?.inlineSize);
  view.height = size(stage.clientHeight, exact?.blockSize);
  if (!app.video) return;
  if (view.fitted) fit();
  else pan(0, 0);
}

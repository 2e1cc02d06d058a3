/** What the pointer does on the stage: points, boxes, strokes, zoom and pan; and the same from the keyboard. */

import { app, changed, nameOf } from "./app.js";
import * as brush from "./brush.js";
import { addPoint, promptAt, setBox } from "./edits.js";
import { load } from "./frames.js";
import { endPreview, preview } from "./masks.js";
import { note } from "./messages.js";
import { accept, suggestionAt } from "./suggest.js";
import { change } from "./sync.js";
import { outside, pan, pixelAt, reveal, toVideo, view, zoom, PIXEL_FROM } from "./view.js";

const DRAG = 4; // pixels of the page: less is a click of an unsteady hand
const NEAR = 12; // a click that misses the frame by no more means its edge

/** @type {HTMLCanvasElement} */
const stage = document.getElementById("stage");
const where = document.getElementById("where");

/** @type {?{kind: "pan" | "brush" | "click", from: PointerEvent, place: number[], dragged: boolean, negative: boolean}} */
let gesture = null;
/** Keys that change what the pointer does while they are held. */
export const held = { space: false, alt: false, preview: false };
/** Whether the pointer is over the stage. */
export const over = () => stage.matches(":hover");

const negativeOf = (event) => event.button === 2 || event.altKey || event.ctrlKey || app.exclude;

/** Puts a point of the chosen object on the frame. @param {number[]} pixel @param {number} at when, for the clock */
export function click(pixel, negative, at) {
  if (app.shown?.frame !== app.frame) return note("Wait until the frame is there.");
  const { frame, object } = app;
  if (negative && !app.document.prompts.some((each) => each.object === object)) {
    return note(`Click on ${nameOf(object)} first, then on what isn't part of it.`);
  }
  if (promptAt(app.document, frame, object)?.mask) note("The point replaces the brushed mask. Undo brings it back.");
  app.click = { at, shown: false };
  return change((doc) => addPoint(doc, frame, object, pixel, negative ? 0 : 1));
}

function down(event) {
  if (!app.shown || gesture || event.button > 2) return;
  stage.focus({ preventScroll: true });
  stage.setPointerCapture(event.pointerId);
  const place = toVideo(event);
  const panning = event.button === 1 || (event.button === 0 && held.space);
  const kind = panning ? "pan" : app.tool === "brush" ? "brush" : "click";
  gesture = { kind, from: event, last: event, place, dragged: false, negative: negativeOf(event) };
  if (kind === "brush" && app.shown.frame === app.frame) brush.begin(pixelAt(place), gesture.negative);
  cursor();
}

function moved(event) {
  if (!app.video) return;
  const place = toVideo(event);
  point(outside(place) > 0 && !gesture ? null : pixelAt(place), false);
  if (!gesture) return hovered();
  const { kind, from, last } = gesture;
  gesture.last = event;
  if (kind === "pan") return pan(event.clientX - last.clientX, event.clientY - last.clientY);
  if (kind === "brush") return brush.extend(pixelAt(place));
  gesture.dragged ||= Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) > DRAG;
  if (gesture.dragged && !gesture.negative) app.draft = boxOf(gesture.place, place);
  return changed();
}

function up(event) {
  if (!gesture) return;
  const { kind, place, dragged, negative } = gesture;
  const end = toVideo(event);
  drop();
  if (kind === "brush") void brush.end(event.timeStamp);
  if (kind !== "click") return;
  if (dragged && negative) note("A box can't exclude. Click on what isn't part of the object.");
  else if (dragged) box(boxOf(place, end), event.timeStamp);
  else if (suggestionAt(place) && !negative) accept(suggestionAt(place), event.timeStamp);
  else if (outside(place) > NEAR) note("That is outside the frame.");
  else click(pixelAt(place), negative, event.timeStamp);
}

const boxOf = (one, other) => {
  const [a, b] = [pixelAt(one), pixelAt(other)];
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
};

function box(edges, at) {
  if (app.shown.frame !== app.frame) return;
  if (edges[0] === edges[2] || edges[1] === edges[3]) return note("The box is empty. Drag across the object.");
  const { frame, object } = app;
  app.click = { at, shown: false };
  change((doc) => setBox(doc, frame, object, edges));
}

/** Ends a gesture. Returns whether there was one. */
export function drop() {
  const any = gesture !== null;
  gesture = app.draft = null;
  cursor();
  changed();
  return any;
}

/** Ends a gesture without its effect. */
export function abandon() {
  brush.cancel();
  return drop();
}

/** Sets the pixel under the pointer, or that of the keyboard. */
function point(pixel, byKeyboard) {
  const drawn = byKeyboard || app.byKeyboard || app.tool === "brush" || view.scale >= PIXEL_FROM;
  app.pointer = pixel;
  app.byKeyboard = byKeyboard;
  where.ariaLive = byKeyboard ? "polite" : "off";
  where.textContent = pixel ? `${pixel[0]}, ${pixel[1]}` : "";
  if (drawn) changed(); // else nothing on the stage is different
}

/** Moves the pixel of the keyboard, from the middle of the frame at first. */
export function nudge(dx, dy) {
  const { width, height } = app.video;
  const [x, y] = app.pointer ?? [width >> 1, height >> 1];
  point(pixelAt([x + dx, y + dy]), true);
  reveal(app.pointer);
  hovered();
}

/** Asks for the mask under the pointer while its key is held. */
export function hovered() {
  if (!held.preview || !app.pointer || app.shown?.frame !== app.frame) return;
  void preview(app.object, app.pointer, held.alt || app.exclude ? 0 : 1);
}

/** Sets which keys are held. */
export function hold(key, down) {
  if (held[key] === down) return;
  held[key] = down;
  if (key === "preview" && !down) endPreview();
  hovered();
  cursor();
}

function cursor() {
  const shape = gesture?.kind === "pan" ? "grabbing" : held.space ? "grab" : app.tool === "brush" ? "none" : "crosshair";
  stage.style.cursor = shape;
}

function wheel(event) {
  event.preventDefault();
  if (!app.video) return;
  const lines = [1, 16, 400][event.deltaMode];
  zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), event); // a pinch comes with Ctrl
  void load();
}

/** Zooms from a key or a button. */
export function zoomBy(factor) {
  zoom(factor);
  void load();
}

/** Listens to the pointer. */
export function watchPointer() {
  stage.addEventListener("pointerdown", down);
  stage.addEventListener("pointermove", moved);
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", abandon);
  stage.addEventListener("pointerleave", () => { if (!gesture && !app.byKeyboard) point(null, false); });
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  stage.addEventListener("mousedown", (event) => { if (event.button === 1) event.preventDefault(); }); // no autoscroll
  stage.addEventListener("wheel", wheel, { passive: false });
}

/** The line below the stage: the slider through the video, with its marks, and what the page is doing. */

import { app, colourOf, onChange } from "./app.js";
import { go, placeOf } from "./frames.js";
import { view } from "./view.js";

const slider = document.getElementById("slider");
const number = document.getElementById("frame");
const time = document.getElementById("time");
/** @type {HTMLCanvasElement} */
const marks = document.getElementById("marks");
const dark = matchMedia("(prefers-color-scheme: dark)");
const THUMB = 16; // as in pick.css: the slider's ends are half of it inside its edges

/** Listens to the slider and the number of the frame. */
export function watchTimeline() {
  slider.addEventListener("input", () => go(app.video.frames[slider.valueAsNumber]));
  number.addEventListener("change", () => {
    if (Number.isFinite(number.valueAsNumber)) go(number.valueAsNumber);
    number.value = app.frame;
  });
  number.addEventListener("keydown", ({ key }) => key === "Enter" && number.blur());
  new ResizeObserver(showMarks).observe(marks);
  dark.addEventListener("change", showMarks);
  onChange(showTimeline);
}

/** Draws it. */
function showTimeline() {
  if (!app.video) return;
  const { frames, fps, first_s: first } = app.video;
  const seconds = `${((first ?? 0) + (app.frame - frames[0]) / fps).toFixed(2)} s`;
  slider.max = frames.length - 1;
  slider.value = placeOf(app.frame);
  slider.ariaValueText = `frame ${app.frame}, ${seconds}`;
  if (number !== document.activeElement) number.value = app.frame;
  time.textContent = `of ${frames.at(-1)} · ${seconds}`;
  showMarks();
  showProgress();
  document.getElementById("zoom").textContent = `${Math.round(view.scale * 100)} %`;
}

/** Where a frame is along the slider, in pixels. */
function along(frame) {
  const last = Math.max(app.video.frames.length - 1, 1);
  return THUMB / 2 + (placeOf(frame) / last) * (marks.clientWidth - THUMB);
}

let drawn = [];

function showMarks() {
  if (!app.video || !marks.clientWidth) return;
  const state = [app.document, app.revision, app.tracked.size, marks.clientWidth, view.ratio, dark.matches];
  if (state.every((value, n) => value === drawn[n])) return;
  drawn = state;
  const { clientWidth: width, clientHeight: height } = marks;
  marks.width = width * view.ratio;
  marks.height = height * view.ratio;
  const pen = marks.getContext("2d");
  const style = getComputedStyle(marks);
  pen.scale(view.ratio, view.ratio);
  const { frames } = app.video;
  const step = (width - THUMB) / Math.max(frames.length - 1, 1);

  pen.fillStyle = style.getPropertyValue("--accent");
  for (const frame of app.tracked) pen.fillRect(along(frame) - step / 2, height - 4, Math.max(step, 1) + 0.5, 4);

  const { in: start, out: end, prompts, objects } = app.document;
  pen.fillStyle = style.getPropertyValue("--outside");
  if (start !== null) pen.fillRect(0, 0, along(start), height);
  if (end !== null) pen.fillRect(along(end), 0, width, height);
  pen.fillStyle = style.getPropertyValue("--ink");
  for (const [mark, way] of [[start, 1], [end, -1]]) {
    if (mark === null) continue;
    pen.fillRect(along(mark) - 1, 0, 2, height);
    pen.fillRect(along(mark) - 1 + (way > 0 ? 0 : -5), 0, 7, 2);
  }
  const beside = new Map(); // how many objects are prompted on a frame
  for (const { frame, object } of prompts) {
    const n = beside.get(frame) ?? 0;
    beside.set(frame, n + 1);
    diamond(pen, along(frame) + 5 * n, 8, colourOf(object), style);
  }
  for (const { id, until } of objects) {
    if (until === null || until === undefined) continue;
    pen.fillStyle = colourOf(id);
    pen.fillRect(along(until) - 1, 2, 3, height - 8);
  }
}

function diamond(pen, x, y, colour, style) {
  pen.beginPath();
  for (const [dx, dy] of [[0, -6], [6, 0], [0, 6], [-6, 0]]) pen.lineTo(x + dx, y + dy);
  pen.closePath();
  pen.fillStyle = colour;
  pen.fill();
  pen.lineWidth = 1;
  pen.strokeStyle = style.getPropertyValue("--ink");
  pen.stroke();
}

function showProgress() {
  const { progress } = app;
  document.getElementById("progress").hidden = !progress;
  if (!progress) return;
  const { text, done, total } = progress;
  document.getElementById("doing").textContent = total ? `${text}, ${done} of ${total}` : text;
  const bar = document.getElementById("bar");
  if (total) {
    bar.max = total;
    bar.value = done;
  } else bar.removeAttribute("value");
}

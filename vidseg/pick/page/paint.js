/** Draws the stage: the frame, masks, boxes, points, suggestions, the brush. All in the order in which they cover. */

import { app, colourOf } from "./app.js";
import { CRISP, PIXEL_FROM, view } from "./view.js";

/** @type {HTMLCanvasElement} */
const stage = document.getElementById("stage");
const pen = stage.getContext("2d");

const TINT = 0.45; // opacity of masks
const OUTLINE = 2; // widths are in pixels of the page
const POINT = 7;
const POSITIVE = "#00be46"; // vidseg.composite's
const NEGATIVE = "#eb1e1e";

/** Draws everything. */
export function paint() {
  if (stage.width !== view.width || stage.height !== view.height) {
    stage.width = view.width; // which clears it, so it is done when it is drawn anew
    stage.height = view.height;
  }
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, stage.width, stage.height);
  if (!app.shown) return;
  inVideo();
  pen.imageSmoothingEnabled = view.scale < CRISP;
  pen.imageSmoothingQuality = "medium"; // "high" takes 4K frames a tenth of a second
  pen.drawImage(app.shown.picture, 0, 0, app.video.width, app.video.height);
  drawMasks();
  onPage();
  for (const prompt of app.document.prompts) if (prompt.frame === app.shown.frame) drawPrompt(prompt);
  app.suggestions?.forEach(drawSuggestion);
  if (app.draft) drawBox(app.draft, colourOf(app.object));
  drawPointer();
}

/** From here on lengths are pixels of the video. */
function inVideo() {
  const { scale, x, y, ratio } = view;
  pen.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
}

/** From here on lengths are pixels of the page. */
const onPage = () => pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);

const left = (x) => view.x + x * view.scale;
const top = (y) => view.y + y * view.scale;

function drawMasks() {
  const masks = [app.preview, app.masks].find((each) => each?.frame === app.shown.frame);
  const drawn = new Map(masks?.objects);
  if (app.stroke) drawn.set(app.object, app.stroke);
  for (const [id, mask] of drawn) {
    if (app.hidden.has(id) || !mask.area) continue;
    const colour = colourOf(id);
    pen.globalAlpha = TINT;
    pen.drawImage(mask.picture(colour), 0, mask.top);
    pen.globalAlpha = 1;
    pen.lineCap = "square";
    pen.lineWidth = OUTLINE / view.scale;
    pen.strokeStyle = colour;
    if (masks === app.preview && id === app.object) pen.strokeStyle = "#fff";
    pen.stroke(mask.outline());
  }
}

function drawPrompt({ object, points, labels, box }) {
  if (app.hidden.has(object)) return;
  const chosen = object === app.object;
  if (box) drawBox(box, colourOf(object));
  points?.forEach(([x, y], n) => {
    drawPoint(left(x + 0.5), top(y + 0.5), labels?.[n] !== 0, colourOf(object), chosen ? POINT : POINT - 2);
  });
}

function drawPoint(x, y, positive, colour, radius) {
  for (const [size, fill] of [[radius + 3, "#141414"], [radius + 2, colour], [radius, positive ? POSITIVE : NEGATIVE]]) {
    pen.beginPath();
    pen.arc(x, y, size, 0, 2 * Math.PI);
    pen.fillStyle = fill;
    pen.fill();
  }
  const arm = radius - 2.5;
  pen.beginPath();
  pen.moveTo(x - arm, y);
  pen.lineTo(x + arm, y);
  if (positive) {
    pen.moveTo(x, y - arm);
    pen.lineTo(x, y + arm);
  }
  pen.lineCap = "round";
  pen.lineWidth = 2;
  pen.strokeStyle = "#fff";
  pen.stroke();
}

function drawBox([x0, y0, x1, y1], colour, dashes = []) {
  const edges = [left(x0), top(y0), (x1 - x0 + 1) * view.scale, (y1 - y0 + 1) * view.scale];
  pen.setLineDash(dashes);
  for (const [width, line] of [[4, "#141414b0"], [2, colour]]) {
    pen.lineWidth = width;
    pen.strokeStyle = line;
    pen.strokeRect(...edges);
  }
  pen.setLineDash([]);
}

function drawSuggestion({ box, name, score }) {
  drawBox(box, "#fff", [7, 5]);
  const text = `${name} ${Math.round(score * 100)} %`;
  pen.font = "600 12px system-ui, sans-serif";
  const width = pen.measureText(text).width + 10;
  const x = Math.max(left(box[0]), 0);
  const y = Math.max(top(box[1]) - 20, 0);
  pen.fillStyle = "#141414d8";
  pen.fillRect(x, y, width, 19);
  pen.fillStyle = "#fff";
  pen.fillText(text, x + 5, y + 14);
}

function drawPointer() {
  if (!app.pointer) return;
  const [x, y] = app.pointer;
  pen.lineWidth = 1;
  if (app.tool === "brush") {
    drawRing(left(x + 0.5), top(y + 0.5), (app.brush / 2) * view.scale);
  } else if (view.scale >= PIXEL_FROM) {
    for (const [grow, line] of [[1.5, "#000"], [0.5, "#fff"]]) {
      pen.strokeStyle = line;
      pen.strokeRect(left(x) - grow, top(y) - grow, view.scale + 2 * grow, view.scale + 2 * grow);
    }
  } else if (app.byKeyboard) drawCross(left(x + 0.5), top(y + 0.5));
}

function drawRing(x, y, radius) {
  for (const [size, line] of [[radius + 1, "#000"], [radius, "#fff"]]) {
    pen.beginPath();
    pen.arc(x, y, Math.max(size, 1), 0, 2 * Math.PI);
    pen.strokeStyle = line;
    pen.stroke();
  }
}

function drawCross(x, y) {
  for (const [width, line] of [[4, "#000"], [2, "#fff"]]) {
    pen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(x + 4 * dx, y + 4 * dy);
      pen.lineTo(x + 14 * dx, y + 14 * dy);
    }
    pen.lineWidth = width;
    pen.strokeStyle = line;
    pen.stroke();
  }
}

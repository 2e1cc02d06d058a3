/**
 * Starts the page. `window.vidseg` is its state for tests: {ready, frame, revision, masks: {id: {area, runs}},
 * lastClickMs, view: {scale, x, y}}. `ready` is true when the screen shows the wanted frame and the masks of the newest
 * document; `lastClickMs` is the time from the last gesture to the picture with its mask.
 */

import { whenLost } from "./api.js";
import { app, onChange, ready } from "./app.js";
import { go, load as loadFrame } from "./frames.js";
import { fillHelp, showHint } from "./help.js";
import { nameButtons, showButtons, watchKeys } from "./keys.js";
import { fail, sayLost } from "./messages.js";
import { paint } from "./paint.js";
import { showPanel } from "./panel.js";
import { watchSave } from "./save.js";
import { watchTimeline } from "./timeline.js";
import { load, recheck } from "./sync.js";
import { watchPointer } from "./tools.js";
import { fit, view, watchSize } from "./view.js";

/** Notes how long a gesture took, once the picture with its mask is on the screen. */
function clock() {
  if (!app.click?.shown) return;
  const { at } = app.click;
  app.click = null;
  setTimeout(() => { app.lastClickMs = performance.now() - at; }); // after the browser has drawn this picture
}

function title() {
  const { name, width, height } = app.video;
  document.title = `${name} · vidseg pick`;
  document.getElementById("video").textContent = name;
  document.getElementById("about").textContent =
    `${width} × ${height} · ${app.model} · ${app.device} · ${app.precision}`;
}

async function start() {
  watchSize();
  fillHelp();
  nameButtons();
  watchPointer();
  watchKeys();
  watchTimeline();
  for (const show of [paint, showPanel, showButtons, showHint, clock]) onChange(show);
  whenLost((lost) => {
    sayLost(lost);
    if (!lost && app.video) void recheck().then(loadFrame);
  });
  await load();
  title();
  fit();
  watchSave();
  const { prompts, objects } = app.document;
  app.object = objects[0]?.id ?? 1;
  go(prompts[0]?.frame ?? app.document.in ?? app.video.frames[0]);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && recheck());
  addEventListener("focus", () => recheck());
}

Object.defineProperty(window, "vidseg", { value: {
  get ready() { return ready(); },
  get frame() { return app.shown?.frame ?? null; },
  get revision() { return app.revision; },
  get masks() {
    const masks = app.preview ?? app.masks;
    const shown = masks && masks.frame === app.shown?.frame ? [...masks.objects] : [];
    return Object.fromEntries(shown.map(([id, { area, runs }]) => [id, { area, runs }]));
  },
  get lastClickMs() { return app.lastClickMs; },
  get view() { return { scale: view.scale, x: view.x, y: view.y }; },
} });

start().catch(fail);

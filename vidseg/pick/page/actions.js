/** Everything that a key or a button does: one table, from which the keys, the buttons and the help are made. */

import { app, changed } from "./app.js";
import * as brush from "./brush.js";
import { addObject, clearFrame, clearObject, freeId, toggleMark, toggleUntil } from "./edits.js";
import { go, load, move } from "./frames.js";
import { stop, track } from "./masks.js";
import { note } from "./messages.js";
import { openSave } from "./save.js";
import { suggest } from "./suggest.js";
import { change, step } from "./sync.js";
import { abandon, click, nudge, zoomBy } from "./tools.js";
import { fit } from "./view.js";

const TEN = 10;
const ZOOM = Math.SQRT2;

function setTool(tool) {
  app.tool = tool;
  if (tool === "brush") note("Paint over the object. Alt or the right button erases; [ and ] change the size.");
  changed();
}

function newObject() {
  const id = freeId(app.document);
  app.object = id;
  change((doc) => addObject(doc, id));
}

/** Makes object ``id`` the chosen one. */
export function choose(id) {
  if (app.document.objects.some((each) => each.id === id)) app.object = id;
  else if (id !== app.object) note(`There is no object ${id}. N makes a new one.`);
  changed();
}

/** Hides or shows the mask and the prompts of object ``id``. */
export function toggleHidden(id) {
  if (!app.hidden.delete(id)) app.hidden.add(id);
  changed();
}

function toPrompted(direction) {
  const frames = [...new Set(app.document.prompts.map(({ frame }) => frame))].sort((a, b) => direction * (a - b));
  const next = frames.find((frame) => direction * (frame - app.frame) > 0);
  if (next === undefined) note(`There is no prompt ${direction > 0 ? "after" : "before"} this frame.`);
  else go(next);
}

function leave() {
  if (abandon() || stop()) return;
  app.suggestions = null;
  if (app.tool === "brush") setTool("click");
  changed();
}

const edit = (change_) => () => {
  const { frame, object } = app;
  change((doc) => change_(doc, frame, object));
};

/**
 * @typedef {{name: string, keys: string[], text: string, run: (event: Event) => void, pressed?: () => boolean,
 *   off?: () => boolean}} Action pressed: of a button that is on or off; off: while it does nothing
 * @type {{title: string, actions: Action[]}[]}
 */
export const GROUPS = [
  { title: "Objects", actions: [
    { name: "new", keys: ["n"], text: "New object", run: newObject },
    { name: "brush", keys: ["b"], text: "Brush on or off", pressed: () => app.tool === "brush",
      run: () => setTool(app.tool === "brush" ? "click" : "brush") },
    { name: "smaller", keys: ["["], text: "Smaller brush", run: () => brush.resize(false) },
    { name: "larger", keys: ["]"], text: "Larger brush", run: () => brush.resize(true) },
    { name: "exclude", keys: ["x"], text: "Clicks exclude, the brush erases", pressed: () => app.exclude,
      run: () => { app.exclude = !app.exclude; changed(); } },
    { name: "suggest", keys: ["s"], text: "Suggestions of the detector", pressed: () => app.suggestions !== null,
      run: suggest },
    { name: "undo", keys: ["Ctrl+z"], text: "Undo", off: () => !app.canUndo, run: () => step("undo") },
    { name: "redo", keys: ["Ctrl+Shift+z", "Ctrl+y"], text: "Redo", off: () => !app.canRedo, run: () => step("redo") },
    { name: "clear-frame", keys: ["Delete", "Backspace"], text: "Clear the object's prompts on this frame",
      run: edit((doc, frame, object) => clearFrame(doc, frame, object)) },
    { name: "clear-object", keys: ["Shift+Delete", "Shift+Backspace"], text: "Clear the object's prompts on all frames",
      run: edit((doc, _, object) => clearObject(doc, object)) },
    { name: "until", keys: ["u"], text: "The object ends on this frame, or doesn't",
      run: edit((doc, frame, object) => toggleUntil(doc, object, frame)) },
    { name: "hide", keys: ["h"], text: "Hide or show the object", run: () => toggleHidden(app.object) },
  ] },
  { title: "Video", actions: [
    { name: "back", keys: ["ArrowLeft"], text: "One frame back", run: () => move(-1) },
    { name: "forth", keys: ["ArrowRight"], text: "One frame on", run: () => move(1) },
    { name: "back-ten", keys: ["Shift+ArrowLeft"], text: "Ten frames back", run: () => move(-TEN) },
    { name: "forth-ten", keys: ["Shift+ArrowRight"], text: "Ten frames on", run: () => move(TEN) },
    { name: "first", keys: ["Home"], text: "First frame", run: () => go(app.video.frames[0]) },
    { name: "last", keys: ["End"], text: "Last frame", run: () => go(app.video.frames.at(-1)) },
    { name: "prompt-before", keys: [","], text: "Frame with prompts before", run: () => toPrompted(-1) },
    { name: "prompt-after", keys: ["."], text: "Frame with prompts after", run: () => toPrompted(1) },
    { name: "in", keys: ["i"], text: "In mark here, or none", run: edit((doc, frame) => toggleMark(doc, "in", frame)) },
    { name: "out", keys: ["o"], text: "Out mark here, or none", run: edit((doc, frame) => toggleMark(doc, "out", frame)) },
    { name: "show", keys: ["m"], text: "Masks of this frame, tracked to here", run: () => track(1, go) },
    { name: "track", keys: ["t"], text: "Track ten frames from here", run: () => track(TEN + 1, go) },
    { name: "track-on", keys: ["Shift+t"], text: "Track again from here to the end", run: () => track(null, go) },
    { name: "stop", keys: ["Escape"], text: "Stop, or leave the brush", run: leave },
  ] },
  { title: "View and file", actions: [
    { name: "fit", keys: ["0"], text: "Fit the frame", run: () => { fit(); void load(); } },
    { name: "zoom-in", keys: ["+", "="], text: "Zoom in", run: () => zoomBy(ZOOM) },
    { name: "zoom-out", keys: ["-"], text: "Zoom out", run: () => zoomBy(1 / ZOOM) },
    { name: "pointer", keys: ["Ctrl+ArrowLeft", "Ctrl+ArrowRight", "Ctrl+ArrowUp", "Ctrl+ArrowDown"],
      text: "Move the pixel under the pointer; with Shift by ten", run: nudged },
    { name: "point", keys: ["Enter", "Shift+Enter"], text: "Click there; with Shift: exclude", run: pointed },
    { name: "save", keys: ["Ctrl+s"], text: "Save", run: openSave },
    { name: "help", keys: ["?"], text: "All keys", run: () => document.getElementById("help").showModal() },
  ] },
];

function nudged(event) {
  const by = event.shiftKey ? TEN : 1;
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  nudge(by * dx, by * dy);
}

function pointed(event) {
  if (app.pointer) click(app.pointer, event.shiftKey || event.altKey || app.exclude, event.timeStamp);
  else note("Put the pointer over the object, or move it with Ctrl and the arrow keys.");
}

/** @type {Map<string, Action>} */
export const ACTIONS = new Map(GROUPS.flatMap(({ actions }) => actions).map((action) => [action.name, action]));

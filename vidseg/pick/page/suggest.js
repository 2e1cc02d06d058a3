/** What the embedded detector sees on the frame: dashed boxes, accepted with a click. */

import { expect, post } from "./api.js";
import { app, busyWith, changed } from "./app.js";
import { freeId, setBox } from "./edits.js";
import { fail, note } from "./messages.js";
import { change } from "./sync.js";

/** Shows the suggestions, or hides them. */
export async function suggest() {
  if (app.suggestions) {
    app.suggestions = null;
    return changed();
  }
  const { frame } = app;
  return busyWith(async () => {
    try {
      const { boxes } = await post("api/suggest", { frame });
      expect(Array.isArray(boxes) && boxes.every(({ box }) => Array.isArray(box) && box.length === 4));
      if (app.frame !== frame) return;
      app.suggestions = boxes.length ? boxes.map((each) => ({ ...each, box: each.box.map(Math.round) })) : null;
      note(boxes.length ? "Click on a dashed box to take it. S hides them." : "The detector sees nothing that it knows here.");
    } catch (error) {
      fail(error);
    }
  });
}

/** The smallest suggested box around a place in the video. */
export function suggestionAt([x, y]) {
  const area = ({ box: [x0, y0, x1, y1] }) => (x1 - x0) * (y1 - y0);
  const around = app.suggestions?.filter(({ box: [x0, y0, x1, y1] }) => x >= x0 && x <= x1 && y >= y0 && y <= y1) ?? [];
  return around.sort((a, b) => area(a) - area(b))[0] ?? null;
}

/** Prompts the chosen object with the box; a new one if that has prompts already. */
export function accept(suggestion, at) {
  const { frame } = app;
  const taken = app.document.prompts.some(({ object }) => object === app.object);
  const object = taken ? freeId(app.document) : app.object;
  app.object = object;
  app.suggestions = app.suggestions.filter((each) => each !== suggestion);
  if (!app.suggestions.length) app.suggestions = null;
  app.click = { at, shown: false };
  change((doc) => setBox(doc, frame, object, suggestion.box));
}

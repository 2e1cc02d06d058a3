/**
 * What the page knows, in one object. Modules read it, write their own part of it, and call changed(): everything is
 * drawn anew with the next picture of the screen.
 *
 * @typedef {{frame: number, object: number, points?: number[][], labels?: number[], box?: number[], mask?: string}} Prompt
 * @typedef {{id: number, name: ?string, until: ?number, color?: string}} Item
 * @typedef {{prompts: Prompt[], objects: Item[], in: ?number, out: ?number}} Document
 * @typedef {{frame: number, revision: number, objects: Map<number, import("./mask.js").Mask>, of?: Document}} Masks
 *   of: the document that they are of
 */

export const app = {
  /** @type {?{name: string, width: number, height: number, fps: number, frames: number[], first_s: number}} */
  video: null,
  model: "", device: "", precision: "", saveAs: "prompts.yaml",
  /** @type {Document} */
  document: { prompts: [], objects: [], in: null, out: null },
  revision: 0, canUndo: false, canRedo: false,
  /** @type {Set<number>} frames whose tracked masks are those of the document */
  tracked: new Set(),
  run: null,

  frame: 0, // the frame that is wanted; shown.frame is the one on the screen
  /** @type {?{frame: number, lossless: boolean, picture: ImageBitmap}} */
  shown: null,
  /** @type {?Masks} */
  masks: null,
  /** @type {?Masks} masks with the point under the pointer, while V is held */
  preview: null,
  object: 1, // the chosen object's id
  hidden: new Set(), // ids of objects whose masks aren't drawn
  tool: "click", // or "brush"
  brush: 24, // its diameter in pixels of the video
  exclude: false, // whether a left click is a negative point
  /** @type {?{box: number[], name: string, score: number}[]} */
  suggestions: null,
  /** @type {?number[]} the box that is being dragged */
  draft: null,
  /** @type {?import("./mask.js").Mask} the mask that is being brushed */
  stroke: null,
  /** @type {?number[]} the pixel under the pointer, or that of the keyboard */
  pointer: null,
  byKeyboard: false,
  /** @type {?{text: string, done: number, total: ?number}} */
  progress: null,

  busy: 0, // requests under way that the picture waits for
  click: null, // when the last gesture was made, until its mask is on the screen
  lastClickMs: null,
};

const listeners = [];
let due = false;

/** Calls ``listener`` for every picture of the screen before which something changed. */
export const onChange = (listener) => listeners.push(listener);

/** Draws everything with the next picture of the screen. */
export function changed() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    for (const listener of listeners) listener();
  });
}

/** Whether the screen shows the wanted frame and the masks of the newest document. */
export const ready = () => !due && app.busy === 0 && app.video !== null && app.shown?.frame === app.frame;

/** Counts ``work`` as something that the picture waits for. */
export async function busyWith(work) {
  app.busy += 1;
  try {
    return await work();
  } finally {
    app.busy -= 1;
    changed();
  }
}

/** The object's entry in the document, or one with its defaults. @returns {Item} */
export const item = (id) => app.document.objects.find((each) => each.id === id) ?? { id, name: null, until: null };

/** The colour in which the server draws the object; grey until the server has heard of it. */
export const colourOf = (id) => item(id).color ?? "#8a8f98";

/** What the object is called on the page. */
export const nameOf = (id) => item(id).name || `object ${id}`;

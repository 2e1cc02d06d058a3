/**
 * Keeps the document with the server. A change is on the screen at once and goes to the server in its turn; each one is
 * a step of undo. Where another browser was faster, the change is made again on what that one left, and the page says so.
 */

import { get, post, Refused, expect } from "./api.js";
import { app, busyWith, changed } from "./app.js";
import { bare, same } from "./edits.js";
import { refresh, whenElsewhere } from "./masks.js";
import { fail, note } from "./messages.js";

/** @typedef {(document: import("./app.js").Document) => void} Edit changes the document in place */

/** @type {{path: string, edit?: Edit}[]} what the server hasn't heard yet */
let queue = [];
/** @type {import("./app.js").Document} the document as the server has it */
let base = app.document;
let working = false;

/** Changes the document. @param {Edit} edit */
export function change(edit) {
  if (same(edited(app.document, edit), app.document)) return;
  queue.push({ path: "document", edit });
  replay();
  void work();
}

/** Takes the last change back, or makes it again. @param {"undo" | "redo"} path */
export function step(path) {
  queue.push({ path });
  void work();
}

/** Asks the server for everything. */
export async function load() {
  takeAll(await get("api/state"));
}

function takeAll(state) {
  expect(Array.isArray(state.video?.frames) && state.video.frames.length > 0);
  Object.assign(app, {
    video: state.video, model: state.model, device: state.device, precision: state.precision,
    saveAs: state.save_as, run: state.run,
  });
  take(state);
}

/** Takes over what another browser may have changed. */
export async function recheck() {
  if (working || !app.video) return;
  const { revision } = app;
  try {
    const state = await get("api/state");
    if (JSON.stringify(state.video) !== JSON.stringify(app.video)) location.reload(); // another picker took the port
    if (working || app.revision !== revision || state.revision === revision) return;
    takeAll(state);
  } catch (error) {
    fail(error);
    return;
  }
  note("Another window changed the prompts. This is how they are now.");
  await refresh();
}

function edited(document, edit) {
  const copy = structuredClone(document);
  edit(copy);
  return copy;
}

/** What the server has, and on it what it hasn't heard yet. */
function replay() {
  app.document = queue.reduce((document, { edit }) => (edit ? edited(document, edit) : document), base);
  changed();
}

function take(answer) {
  expect(Number.isInteger(answer.revision) && Array.isArray(answer.document?.prompts));
  expect(Array.isArray(answer.document.objects));
  app.revision = answer.revision;
  app.canUndo = Boolean(answer.can_undo);
  app.canRedo = Boolean(answer.can_redo);
  app.tracked = new Set(answer.tracked ?? []);
  base = { in: null, out: null, ...answer.document };
  replay();
}

async function work() {
  if (working) return;
  working = true;
  await busyWith(async () => {
    try {
      while (queue.length) await deliver(queue[0]);
    } catch (error) {
      fail(error);
      queue = [];
      replay();
    }
    working = false;
    await refresh();
  });
}

async function deliver({ path, edit }) {
  if ((path === "undo" && !app.canUndo) || (path === "redo" && !app.canRedo)) return void queue.shift();
  const document = edit && bare(edited(base, edit));
  let answer = null;
  try {
    answer = await post(`api/${path}`, { revision: app.revision, ...(edit && { document }) });
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 409) throw error;
    answer = await get("api/state");
    // The change itself may have come first: its answer was lost on the way, and it was sent again.
    const there = edit && answer.document && same(document, answer.document);
    if (!there) note("Another window changed the prompts. This is how they are now, with your change.");
    if (edit && !there) return take(answer); // and it is sent again
  }
  queue.shift();
  take(answer);
}

whenElsewhere(recheck);

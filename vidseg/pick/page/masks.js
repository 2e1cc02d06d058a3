/**
 * The masks on the screen: of the prompts (a look), of tracking, or of the point under the pointer. An answer that comes
 * late, for another frame or an older document, is dropped.
 */

import { ask, expect, get, lines } from "./api.js";
import { app, busyWith, changed } from "./app.js";
import { contentOf, prompted } from "./edits.js";
import { fits, Mask } from "./mask.js";
import { fail, note } from "./messages.js";

const KEPT = 300; // tracked frames whose masks are kept on the page

/** @type {Map<number, import("./app.js").Masks>} tracked masks of the revision ``keptOf`` */
let kept = new Map();
let keptOf = -1;
/** @type {?AbortController} the look under way */
let looking = null;
/** @type {?AbortController} the tracking under way */
let tracking = null;

/** Calls ``listener`` when an answer shows that another browser changed the document. */
export const whenElsewhere = (listener) => { elsewhere = listener; };
let elsewhere = () => {};

/** The answer of the server as masks of the document's ``revision``. @returns {import("./app.js").Masks} */
function understood(answer, revision) {
  const { width, height } = app.video;
  expect(Number.isInteger(answer?.frame) && Array.isArray(answer.objects));
  expect(answer.objects.every(({ id, runs }) => Number.isInteger(id) && fits(runs, width * height)));
  const objects = new Map(answer.objects.map(({ id, runs }) => [id, new Mask(runs, width, height)]));
  return { frame: answer.frame, revision, objects };
}

/** Whether the masks of this frame and the document of now are on the screen. */
const seen = () => app.masks?.frame === app.frame && app.masks.revision === app.revision;

/** Puts masks on the screen. */
export function show(masks) {
  const stay = new Set(masks?.objects.values());
  for (const mask of app.masks?.objects.values() ?? []) if (!stay.has(mask)) mask.forget();
  app.masks = masks;
  changed();
}

/** Puts masks on the screen that a gesture waits for. */
function display(masks) {
  show(masks);
  if (app.click) app.click.shown = true;
}

function keep(masks) {
  if (keptOf !== app.revision) kept = new Map();
  keptOf = app.revision;
  kept.set(masks.frame, masks);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
}

/** The tracked masks of a frame, if they are those of the document. */
export async function known(frame) {
  const { revision } = app;
  if (keptOf === revision && kept.has(frame)) return kept.get(frame);
  if (!app.tracked.has(frame)) return null;
  try {
    const answer = await get(`api/tracked/${frame}`);
    if (!answer.current) return null;
    const masks = { ...understood(answer, revision), of: app.document };
    if (revision === app.revision) keep(masks);
    return masks;
  } catch (error) {
    fail(error);
    return null;
  }
}

/** Whether the masks of this frame have to be asked for: they are neither on the screen nor on their way. */
export const unseen = () => prompted(app.document) && !app.busy && app.shown?.frame === app.frame && !seen();

/**
 * Brings the masks of the frame and the document of now: tracked ones, or those of its prompts. Where neither is there,
 * the user decides whether to track to here, which takes a while.
 */
export async function refresh() {
  const { frame, revision } = app;
  if (tracking && tracking.revision !== revision) stop(); // its masks would be of prompts that have changed
  if (!app.video || app.shown?.frame !== frame) return; // the frame asks again when it comes
  if (seen() || (looking?.frame === frame && looking.revision === revision)) return;
  looking?.abort();
  const own = looking = Object.assign(new AbortController(), { frame, revision });
  await busyWith(async () => {
    try {
      const masks = await current(own);
      if (looking !== own || app.frame !== frame) return;
      display(masks);
    } catch (error) {
      if (!own.signal.aborted) fail(error);
    } finally {
      if (looking === own) {
        looking = null;
        if (!tracking) app.progress = null;
      }
    }
  });
}

async function current({ frame, revision, signal }) {
  if (!prompted(app.document)) return { frame, revision, objects: new Map() };
  const found = await known(frame);
  if (found) return found;
  const document = app.document;
  if (!document.prompts.some((each) => each.frame === frame)) return null;
  const progress = (step) => {
    app.progress = { text: `Tracking to frame ${frame}`, ...step };
    changed();
  };
  const early = (line) => {
    if (looking?.signal === signal && app.frame === frame) display(withOthers(understood(line, revision), document));
  };
  const answer = await ask("api/look", { frame, hover: null }, { signal, progress, early });
  if (answer.stopped) return null; // somebody asked something else
  if (answer.revision > revision) elsewhere();
  return withOthers(understood(answer, revision), document);
}

/** A look knows the objects with a prompt on its frame; masks of others stay if their prompts are what they were. */
function withOthers(masks, document) {
  masks.of = document;
  const before = app.masks;
  if (before?.frame !== masks.frame || !before.of) return masks;
  for (const [id, mask] of before.objects) {
    const there = document.prompts.some(({ object }) => object === id);
    if (there && !masks.objects.has(id) && contentOf(before.of, id) === contentOf(document, id)) masks.objects.set(id, mask);
  }
  return masks;
}

/** Tracks ``count`` frames from here, or to the end, and follows on the screen. ``go`` goes to a frame. */
export async function track(count, go) {
  if (!prompted(app.document)) return note("Click on an object first.");
  stop();
  const from = app.frame;
  const { revision } = app;
  const own = tracking = Object.assign(new AbortController(), { revision });
  const place = (frame) => app.video.frames.indexOf(frame) - app.video.frames.indexOf(from) + 1;
  let followed = from;
  app.progress = { text: "Tracking", done: 0, total: count };
  await busyWith(async () => {
    try {
      for await (const line of lines("api/track", { from, count }, own.signal)) {
        if (line.stopped || app.revision !== revision) break; // somebody asked something else
        if (line.progress) {
          app.progress = { text: `Tracking to frame ${from}`, ...line.progress };
          changed();
          continue;
        }
        const masks = { ...understood(line, revision), of: app.document };
        keep(masks);
        app.tracked.add(masks.frame);
        if (app.frame === masks.frame && app.shown?.frame === masks.frame) show(masks); // its picture is there already
        app.progress = { text: `Tracking, frame ${masks.frame}`, done: place(masks.frame), total: count };
        if (app.frame === followed) go(followed = masks.frame); // until somebody goes elsewhere
        changed();
      }
    } catch (error) {
      if (!own.signal.aborted) fail(error);
    } finally {
      if (tracking === own) tracking = app.progress = null;
    }
  });
}

/** Ends what takes long. Returns whether there was anything. */
export function stop() {
  const any = looking !== null || tracking !== null;
  looking?.abort();
  tracking?.abort();
  looking = tracking = app.progress = null;
  changed();
  return any;
}

/** @type {?{object: number, point: number[], label: number}} what the preview is wanted of, and not yet asked for */
let hover = null;
/** @type {?AbortController} the preview, from its first request until the key is let go */
let previewing = null;
let asking = false;

/** Shows the mask as it would be with one more point: one request at a time, then that of the newest place. */
export async function preview(object, point, label) {
  previewing ??= new AbortController();
  hover = { object, point, label };
  if (asking) return;
  asking = true;
  const own = previewing;
  try {
    while (hover && previewing === own) {
      const { frame, revision } = app;
      const wanted = hover;
      hover = null;
      const answer = await ask("api/look", { frame, hover: wanted }, { signal: own.signal });
      if (previewing !== own || app.frame !== frame || answer.stopped) break;
      const masks = understood(answer, revision); // of this object alone
      const others = app.masks?.frame === frame ? app.masks.objects : [];
      app.preview = { ...masks, objects: new Map([...others, ...masks.objects]) };
      changed();
    }
  } catch (error) {
    if (!own.signal.aborted) fail(error);
  } finally {
    asking = false;
  }
  if (hover && previewing) void preview(hover.object, hover.point, hover.label); // the key was let go and held again
}

/** The masks of the document again. */
export function endPreview() {
  previewing?.abort();
  previewing = hover = app.preview = null;
  changed();
}

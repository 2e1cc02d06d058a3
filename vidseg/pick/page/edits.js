/** Changes to the document: each takes the document and changes it in place. */

/** @typedef {import("./app.js").Document} Document */

/** The object's prompt on the frame. @returns {import("./app.js").Prompt | undefined} */
export const promptAt = (doc, frame, object) =>
  doc.prompts.find((each) => each.frame === frame && each.object === object);

/** Whether any object has a prompt. */
export const prompted = (doc) => doc.prompts.length > 0;

function itemOf(doc, id) {
  let found = doc.objects.find((each) => each.id === id);
  if (!found) {
    found = { id, name: null, until: null };
    doc.objects.push(found);
    doc.objects.sort((a, b) => a.id - b.id);
  }
  return found;
}

function openPrompt(doc, frame, object) {
  itemOf(doc, object);
  let found = promptAt(doc, frame, object);
  if (!found) {
    found = { frame, object };
    doc.prompts.push(found);
  }
  return found;
}

function drop(doc, prompt) {
  doc.prompts = doc.prompts.filter((each) => each !== prompt);
}

/** A click; a second one on the same pixel changes the first. It replaces a brushed mask. */
export function addPoint(doc, frame, object, [x, y], label) {
  const prompt = openPrompt(doc, frame, object);
  delete prompt.mask;
  const points = prompt.points ??= [];
  const labels = prompt.labels ??= points.map(() => 1);
  const same = points.findIndex((point) => point[0] === x && point[1] === y);
  if (same >= 0) labels[same] = label;
  else {
    points.push([x, y]);
    labels.push(label);
  }
}

/** Takes a point away, and the prompt with its last. */
export function removePoint(doc, frame, object, [x, y]) {
  const prompt = promptAt(doc, frame, object);
  const n = prompt?.points?.findIndex((point) => point[0] === x && point[1] === y) ?? -1;
  if (n < 0) return;
  prompt.points.splice(n, 1);
  prompt.labels.splice(n, 1);
  if (prompt.points.length) return;
  delete prompt.points;
  delete prompt.labels;
  if (!prompt.box) drop(doc, prompt);
}

/** A box; points stay, a brushed mask doesn't. */
export function setBox(doc, frame, object, box) {
  const prompt = openPrompt(doc, frame, object);
  delete prompt.mask;
  prompt.box = box;
}

/** Takes the box away, and the prompt if it has no points. */
export function removeBox(doc, frame, object) {
  const prompt = promptAt(doc, frame, object);
  if (!prompt) return;
  delete prompt.box;
  if (!prompt.points) drop(doc, prompt);
}

/** A brushed mask in place of whatever was prompted there; without a mask the prompt goes. */
export function setMask(doc, frame, object, mask) {
  drop(doc, promptAt(doc, frame, object));
  if (mask) openPrompt(doc, frame, object).mask = mask;
}

export function clearFrame(doc, frame, object) {
  drop(doc, promptAt(doc, frame, object));
}

export function clearObject(doc, object) {
  doc.prompts = doc.prompts.filter((each) => each.object !== object);
}

export function removeObject(doc, object) {
  clearObject(doc, object);
  doc.objects = doc.objects.filter((each) => each.id !== object);
}

export const addObject = (doc, id) => { itemOf(doc, id); };

export const rename = (doc, object, name) => { itemOf(doc, object).name = name || null; };

/** The object ends on the frame; said again, it doesn't. */
export function toggleUntil(doc, object, frame) {
  const entry = itemOf(doc, object);
  entry.until = entry.until === frame ? null : frame;
}

/** Sets the in or the out mark, or takes it away; the other one goes if they would cross. */
export function toggleMark(doc, which, frame) {
  doc[which] = doc[which] === frame ? null : frame;
  if (doc.in === null || doc.out === null || doc.in <= doc.out) return;
  doc[which === "in" ? "out" : "in"] = null;
}

/** The id of a new object: the smallest that is free. */
export function freeId(doc) {
  const taken = new Set([...doc.objects.map(({ id }) => id), ...doc.prompts.map(({ object }) => object)]);
  let id = 1;
  while (taken.has(id)) id++;
  return id;
}

/** The document as the server takes it: no colours, nothing that is empty, always in one order. @returns {Document} */
export function bare(doc) {
  const prompts = doc.prompts.map(({ frame, object, points, labels, box, mask, joins }) => ({
    frame,
    object,
    ...(points?.length && { points, labels }),
    ...(box && { box }),
    ...(mask && { mask }),
    ...(joins && { joins }), // the page doesn't change it, and must not lose it
  }));
  prompts.sort((a, b) => a.frame - b.frame || a.object - b.object);
  const objects = doc.objects.map(({ id, name, until }) => ({ id, name: name ?? null, until: until ?? null }));
  objects.sort((a, b) => a.id - b.id);
  return { prompts, objects, in: doc.in ?? null, out: doc.out ?? null };
}

/** What an object's masks depend on, as text. */
export const contentOf = (doc, id) =>
  JSON.stringify([bare(doc).prompts.filter(({ object }) => object === id), doc.objects.find((each) => each.id === id)?.until]);

export const same = (a, b) => JSON.stringify(bare(a)) === JSON.stringify(bare(b));

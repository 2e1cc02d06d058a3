/** The panel: the objects, and what is prompted on this frame. */

import { choose, toggleHidden } from "./actions.js";
import { app, changed, colourOf } from "./app.js";
import { promptAt, removeBox, removeObject, removePoint, clearFrame, rename, toggleUntil } from "./edits.js";
import { accept } from "./suggest.js";
import { change } from "./sync.js";

const objects = document.getElementById("objects");
const prompts = document.getElementById("prompts");
const suggestions = document.getElementById("suggestions");
const template = document.getElementById("object");
let drawn = "";

/** Draws the panel, if anything in it is different. */
export function showPanel() {
  const { document: doc, object, frame, suggestions: boxes, tool, brush } = app;
  const state = JSON.stringify([doc, object, frame, [...app.hidden], boxes, tool, brush]);
  if (state === drawn) return;
  drawn = state;
  showObjects();
  document.getElementById("here").textContent = `Object ${object} on frame ${frame}`;
  rebuild(prompts, [...promptLines()]);
  document.getElementById("nothing").hidden = prompts.children.length > 0;
  rebuild(suggestions, (boxes ?? []).map(suggestionLine));
  document.getElementById("suggested").hidden = !boxes;
  document.getElementById("sizes").hidden = tool !== "brush";
  document.getElementById("size").textContent = `${brush} px`;
}

/** Puts new lines into a list; the button that had the focus, or the one in its place, has it again. */
function rebuild(list, lines) {
  const place = [...list.children].findIndex((line) => line.contains(document.activeElement));
  list.replaceChildren(...lines);
  if (place >= 0) (list.children[place] ?? list.lastElementChild)?.querySelector("button")?.focus();
}

function showObjects() {
  const ids = [...new Set([...app.document.objects.map(({ id }) => id), app.object])].sort((a, b) => a - b);
  for (const line of [...objects.children]) if (!ids.includes(Number(line.dataset.id))) line.remove();
  ids.forEach((id, n) => {
    const there = objects.querySelector(`[data-id="${id}"]`) ?? newLine(id);
    if (objects.children[n] !== there) objects.insertBefore(there, objects.children[n] ?? null);
    showObject(there, id);
  });
}

function newLine(id) {
  const line = template.content.firstElementChild.cloneNode(true);
  line.dataset.id = id;
  const on = (selector, event, label, run) => {
    const node = line.querySelector(selector);
    node.ariaLabel = label;
    node.addEventListener(event, run);
  };
  on(".choose", "click", `Choose object ${id}`, () => choose(id));
  on(".eye", "click", `Show object ${id}`, () => toggleHidden(id));
  on(".remove", "click", `Remove object ${id}`, () => change((doc) => removeObject(doc, id)));
  on(".name", "change", `Name of object ${id}`, ({ target }) => change((doc) => rename(doc, id, target.value.trim())));
  on(".name", "focus", `Name of object ${id}`, () => choose(id));
  on(".until", "click", `Object ${id} doesn't end`, () => {
    const { until } = app.document.objects.find((each) => each.id === id);
    change((doc) => toggleUntil(doc, id, until));
  });
  line.querySelector(".name").placeholder = `object ${id}`;
  line.querySelector("b").textContent = id;
  line.querySelector(".name").addEventListener("keydown", ({ key, target }) => key === "Enter" && target.blur());
  return line;
}

function showObject(line, id) {
  const entry = app.document.objects.find((each) => each.id === id);
  line.style.setProperty("--c", colourOf(id));
  line.classList.toggle("chosen", id === app.object);
  line.querySelector(".choose").ariaPressed = String(id === app.object);
  line.querySelector(".eye").ariaPressed = String(!app.hidden.has(id));
  line.querySelector(".remove").hidden = !entry;
  const name = line.querySelector(".name");
  if (name !== document.activeElement) name.value = entry?.name ?? "";
  const until = line.querySelector(".until");
  until.hidden = entry?.until == null;
  until.textContent = `ends at ${entry?.until} ×`;
}

function* promptLines() {
  const { frame, object } = app;
  const prompt = promptAt(app.document, frame, object);
  for (const [n, [x, y]] of (prompt?.points ?? []).entries()) {
    const off = prompt.labels?.[n] === 0;
    const text = `${off ? "−" : "+"} ${x}, ${y}`;
    yield promptLine(text, off ? "off" : "on", (doc) => removePoint(doc, frame, object, [x, y]));
  }
  if (prompt?.box) yield promptLine(`Box ${prompt.box.join(", ")}`, "box", (doc) => removeBox(doc, frame, object));
  if (prompt?.mask) yield promptLine("Brushed mask", "mask", (doc) => clearFrame(doc, frame, object));
}

function promptLine(text, kind, edit) {
  const line = document.createElement("li");
  const label = document.createElement("span");
  label.className = kind;
  label.append(text);
  const remove = document.createElement("button");
  remove.className = "remove";
  remove.ariaLabel = `Remove ${text}`;
  remove.append("×");
  remove.addEventListener("click", () => change(edit));
  line.append(label, remove);
  return line;
}

function suggestionLine(suggestion) {
  const line = document.createElement("li");
  const take = document.createElement("button");
  take.append(`${suggestion.name} ${Math.round(suggestion.score * 100)} %`);
  take.addEventListener("click", (event) => { accept(suggestion, event.timeStamp); changed(); });
  line.append(take);
  return line;
}

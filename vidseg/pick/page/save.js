/** The dialog that saves the prompts, shows the command that uses them, and starts the run and follows it. */

import { expect, get, post } from "./api.js";
import { app, changed } from "./app.js";
import { fail } from "./messages.js";

const POLL_MS = 1000;
const find = (id) => document.getElementById(id);
const dialog = find("save");
const form = find("save-form");
let polling = false;
/** @type {?{revision: number, target: object}} what was saved last, and where */
let saved = null;

/** Opens the dialog. */
export function openSave() {
  if (!form.elements.as.value) form.elements.as.value = app.saveAs;
  find("overwrite").hidden = true;
  find("saved").hidden = saved?.revision !== app.revision;
  dialog.querySelector(".messages").replaceChildren();
  dialog.showModal();
}

/** Listens to the dialog. */
export function watchSave() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void save(false);
  });
  find("overwrite-button").addEventListener("click", () => save(true));
  form.addEventListener("input", (event) => {
    find("overwrite").hidden = true;
    if (event.target.name === "group") form.elements.kind.value = "group";
    if (event.target.name === "as") form.elements.kind.value = "as";
  });
  find("copy").addEventListener("click", copy);
  find("start").addEventListener("click", start);
  find("stop").addEventListener("click", () => post("api/stop", {}).then(showRun, fail));
  find("run-chip").addEventListener("click", openSave);
  if (app.run?.status === "running") void follow();
  else showRun(app.run);
}

async function save(overwrite) {
  const { kind, as, group } = form.elements;
  const target = kind.value === "group" ? { group: group.value.trim() } : { as: as.value.trim() };
  dialog.querySelector(".messages").replaceChildren();
  find("overwrite").hidden = true;
  try {
    const { path, command } = await post("api/save", { ...target, overwrite });
    expect(typeof command === "string");
    saved = { revision: app.revision, target };
    find("saved").hidden = false;
    find("path").textContent = path;
    find("command").textContent = command;
    find("start").focus();
  } catch (error) {
    if (error.answer?.exists) {
      find("exists").textContent = error.message;
      find("overwrite").hidden = false;
      find("overwrite-button").focus();
    } else fail(error);
  }
}

async function copy() {
  const text = find("command").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // without https, or in another page's frame
    getSelection().selectAllChildren(find("command"));
    document.execCommand("copy");
  }
  find("copy").textContent = "Copied";
  setTimeout(() => { find("copy").textContent = "Copy"; }, 2000);
}

async function start() {
  find("overwrite").hidden = true;
  try {
    showRun(await post("api/run", { ...saved.target, overwrite: true }));
  } catch (error) {
    fail(error);
  }
  await follow();
}

async function follow() {
  if (polling) return;
  polling = true;
  try {
    do {
      showRun(await get("api/run"));
      await new Promise((done) => setTimeout(done, POLL_MS));
    } while (app.run?.status === "running");
  } catch (error) {
    fail(error);
  }
  polling = false;
}

const ENDS = { finished: "Finished", failed: "Failed", interrupted: "Stopped" };

function showRun(run) {
  app.run = run?.status ? run : null;
  const going = app.run?.status === "running";
  find("run").hidden = find("run-chip").hidden = !app.run;
  find("start").disabled = going;
  find("stop").disabled = !going;
  if (app.run) {
    const { status, done, total, folder, line } = app.run;
    const share = total ? ` ${Math.round((100 * done) / total)} %` : "";
    find("run-state").textContent = going ? `Running: ${done} of ${total ?? "?"} frames` : `${ENDS[status] ?? status}.`;
    find("run-chip").textContent = going ? `Run:${share}` : `Run: ${(ENDS[status] ?? status).toLowerCase()}`;
    find("run-bar").max = total || 1;
    find("run-bar").value = done || 0;
    find("folder").textContent = folder ?? "";
    find("line").textContent = line ?? "";
  }
  changed();
}

/** The dialog with all keys, made of the table of actions; and the line on the stage that says what to do next. */

import { GROUPS } from "./actions.js";
import { app } from "./app.js";
import { prompted } from "./edits.js";
import { shown } from "./keys.js";
import { unseen } from "./masks.js";

const hint = document.getElementById("hint");

/** Fills the dialog. */
export const fillHelp = () => document.getElementById("keys").append(...GROUPS.map(table));

function table({ title, actions }) {
  const section = document.createElement("section");
  const heading = document.createElement("h3");
  heading.append(title);
  const list = document.createElement("dl");
  for (const { keys, text } of actions) {
    const term = document.createElement("dt");
    for (const key of keys.slice(0, 4)) {
      const sign = document.createElement("kbd");
      sign.append(shown(key));
      term.append(sign, " ");
    }
    const meaning = document.createElement("dd");
    meaning.append(text);
    list.append(term, meaning);
  }
  section.append(heading, list);
  return section;
}

/** Says what to do next. */
export function showHint() {
  const text = !app.shown ? "" : !prompted(app.document)
    ? "Click on the object that you want. Its mask appears at once."
    : unseen() ? "No masks here yet. T tracks ten frames from here; M tracks from the first prompt to here." : "";
  if (hint.textContent !== text) hint.textContent = text;
  hint.hidden = !text;
}

/** The keyboard, and the buttons that say in data-do which action of the table is theirs. */

import { ACTIONS, choose } from "./actions.js";
import { app } from "./app.js";
import { hold, over } from "./tools.js";

const byKey = new Map([...ACTIONS.values()].flatMap((action) => action.keys.map((key) => [key, action])));
for (const arrow of ["Left", "Right", "Up", "Down"]) byKey.set(`Ctrl+Shift+Arrow${arrow}`, ACTIONS.get("pointer"));

/** The key as the table writes it. */
function written(event) {
  const one = event.key.length === 1;
  const graph = event.getModifierState("AltGraph"); // how some keyboards write [ and ]; it comes with Ctrl on Windows
  const ctrl = (event.ctrlKey || event.metaKey) && !graph ? "Ctrl+" : "";
  const shift = event.shiftKey && (!one || /[a-z]/i.test(event.key)) ? "Shift+" : "";
  return ctrl + shift + (one ? event.key.toLowerCase() : event.key);
}

const typing = (target) => target.matches?.("input:not([type=range]), textarea, select");
const pressing = (target) => target.matches?.("button, a, summary");

function down(event) {
  if (!app.video || document.querySelector("dialog[open]")) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = written(event);
  if (event.key === "Alt") hold("alt", true);
  else if (key === "v") hold("preview", true);
  else if (key === " " && (over() || !pressing(event.target))) hold("space", true);
  else if (/^[1-9]$/.test(key)) choose(Number(key));
  else if (byKey.has(key) && !(pressing(event.target) && event.key === "Enter")) byKey.get(key).run(event);
  else return;
  event.preventDefault();
}

function up(event) {
  if (event.key === "Alt") {
    hold("alt", false);
    event.preventDefault(); // or the browser's menu has the focus
  } else if (event.key.toLowerCase() === "v") hold("preview", false);
  else if (event.key === " ") {
    hold("space", false);
    if (over() && pressing(event.target)) event.preventDefault(); // or it presses the button that was used last
  }
}

/** Listens to keys and buttons. */
export function watchKeys() {
  addEventListener("keydown", down);
  addEventListener("keyup", up);
  addEventListener("blur", () => { for (const key of ["alt", "preview", "space"]) hold(key, false); });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-do]");
    if (button && app.video) ACTIONS.get(button.dataset.do).run(event);
  });
}

/** Says on each button which key does the same. */
export function nameButtons() {
  for (const button of document.querySelectorAll("[data-do]")) {
    const { text, keys } = ACTIONS.get(button.dataset.do);
    button.title = `${text} (${shown(keys[0])})`;
    button.setAttribute("aria-keyshortcuts", keys.map((key) => key.replace("Ctrl", "Control")).join(" "));
    if (button.children.length && !button.textContent.trim()) button.ariaLabel = text;
  }
}

/** Shows which buttons are on, and which do nothing now. */
export function showButtons() {
  for (const button of document.querySelectorAll("[data-do]")) {
    const { pressed, off } = ACTIONS.get(button.dataset.do);
    if (pressed) button.ariaPressed = String(pressed());
    if (off) button.ariaDisabled = String(off());
  }
}

const SIGNS = {
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Delete: "Del", Escape: "Esc", Backspace: "⌫",
};

/** A key as it stands on keyboards. */
export const shown = (key) =>
  key.split(/\+(?!$)/).map((part) => SIGNS[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" ");

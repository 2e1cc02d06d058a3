/** What the page tells: notes that go by themselves, and errors that stay until they are closed. */

const NOTE_MS = 7000;
const area = document.getElementById("messages");

/** Says something for some seconds. */
export function note(text) {
  const line = add(text, "note");
  setTimeout(() => line.remove(), NOTE_MS);
}

/** Tells of an error. */
export function fail(error) {
  if (error.name !== "Refused") console.warn(error); // a mistake of the page's own, most likely
  add(error.message || String(error), "error").role = "alert";
}

/** Says that the server can't be reached, until it can. */
export function sayLost(lost) {
  document.getElementById("lost").hidden = !lost;
}

function add(text, kind) {
  for (const old of [...area.children]) if (old.dataset.text === text) old.remove();
  const line = document.createElement("p");
  line.className = `message ${kind}`;
  line.dataset.text = text;
  line.append(text);
  const close = document.createElement("button");
  close.className = "close";
  close.ariaLabel = "Close the message";
  close.append("×");
  close.addEventListener("click", () => line.remove());
  line.append(close);
  // A modal dialog makes the rest of the page inert: there, messages belong into it.
  (document.querySelector("dialog[open] .messages") ?? area).append(line);
  while (area.children.length > 3) area.firstChild.remove();
  return line;
}

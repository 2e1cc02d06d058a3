/** Talks to the server in JSON, lines of JSON, and pictures. Where nobody answers, it says so and tries again. */

const RETRY_MS = 1000;
const BROKEN_TRIES = 3; // for an answer that breaks off: a server that ends at every try is not asked for ever
const ANSWER_MS = 15000; // until an answer begins: a tunnel that broke says nothing
const PICTURE_MS = 20000;
const AWAY = [502, 503, 504]; // a tunnel or proxy answers, the server doesn't
const UNCLEAR = "The server's answer can't be understood. Try again; reload the page if it stays so.";
const token = new URLSearchParams(location.search).get("token");

/** An answer that is no success. The message is for the user. */
export class Refused extends Error {
  constructor(message, status = 0, answer = {}) {
    super(message);
    this.name = "Refused";
    this.status = status;
    this.answer = answer;
  }
}

class Broken extends Refused {}

let lost = false;
let tell = () => {};

/** Calls ``listener`` with true when the server can't be reached, and with false when it answers again. */
export const whenLost = (listener) => { tell = listener; };

function reached(yes) {
  if (lost === yes) tell(lost = !yes);
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function send(path, { body, signal } = {}) {
  const headers = { "X-Vidseg": "1", ...(token && { "X-Token": token }) };
  const options = body === undefined
    ? { headers }
    : { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(body) };
  for (;;) { // without the browser's cache: another video may be open at the same address tomorrow
    let response = null;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), ANSWER_MS);
    const ends = AbortSignal.any([late.signal, ...(signal ? [signal] : [])]);
    try {
      response = await fetch(new URL(path, document.baseURI), { cache: "no-store", ...options, signal: ends });
    } catch (error) {
      if (signal?.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
    if (response && !AWAY.includes(response.status)) {
      reached(true);
      if (response.ok) return response;
      const answer = await response.json().catch(() => ({}));
      throw new Refused(answer?.error ?? `The server failed (status ${response.status}).`, response.status, answer);
    }
    reached(false);
    await pause(RETRY_MS);
    signal?.throwIfAborted();
  }
}

function parsed(text) {
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refused(UNCLEAR);
  }
  if (typeof value !== "object") throw new Refused(UNCLEAR);
  if (value?.error !== undefined) throw new Refused(String(value.error), 500, value);
  return value;
}

/** Raises what the user is told if ``is`` doesn't hold of an answer. */
export function expect(is) {
  if (!is) throw new Refused(UNCLEAR);
}

/** The answer to a GET. */
export const get = async (path, options) => parsed(await (await send(path, options)).text());

/** The answer to a POST. */
export const post = async (path, body, options) => parsed(await (await send(path, { ...options, body })).text());

/** The lines of the answer to a POST, one by one. Aborting ``signal`` ends the work on the server too. */
export async function* lines(path, body, signal) {
  const response = await send(path, { body, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let done = false; !done;) {
    let value = "";
    try {
      ({ value = "", done } = await reader.read());
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Broken("The connection broke off. Try again.");
    }
    const parts = (rest + value).split("\n");
    rest = done ? "" : parts.pop();
    for (const part of parts) if (part.trim()) yield parsed(part);
  }
}

/** The last line of the answer to a POST; ``progress`` is called with steps before it, ``early`` with what is almost it. */
export async function ask(path, body, { signal, progress = () => {}, early = () => {} } = {}) {
  for (let tries = 1; ; tries++) {
    try {
      let last = null;
      for await (const line of lines(path, body, signal)) {
        if (line?.progress) progress(line.progress);
        else if (line?.early) early(line);
        else last = line;
      }
      if (last) return last;
      throw new Broken("The server's answer broke off. Try again.");
    } catch (error) {
      if (!(error instanceof Broken) || tries === BROKEN_TRIES) throw error;
      await pause(RETRY_MS);
    }
  }
}

/** The picture of frame ``n``; without losses of a codec where single pixels are looked at. */
export async function picture(n, lossless) {
  const query = new URLSearchParams({ ...(lossless && { lossless: 1 }), ...(token && { token }) });
  const signal = AbortSignal.timeout(PICTURE_MS);
  const response = await send(`api/frame/${n}?${query}`, { signal }).catch((error) => {
    throw signal.aborted ? new Refused(`Frame ${n} doesn't come. Go to another frame and back.`) : error;
  });
  try {
    return await createImageBitmap(await response.blob());
  } catch {
    throw new Refused(`The picture of frame ${n} can't be read. Go to another frame and back.`);
  }
}

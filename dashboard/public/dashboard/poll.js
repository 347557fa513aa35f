// @ts-check
/** Keeps a view up to date: every two seconds, but only while somebody can see it. */

const EVERY_MS = 2_000;
/** After this long without a key or a pointer nobody is looking, and an idle database may go to sleep. */
const UNATTENDED_MS = 10 * 60_000;

let live = true;
let lastInput = Date.now();
/** @type {() => void} */
let changed = () => {};

for (const type of ["pointerdown", "pointermove", "keydown", "wheel"]) {
  addEventListener(type, () => (lastInput = Date.now()), { passive: true });
}

/**
 * The switch in the header.
 * @param {HTMLElement} button
 */
export function liveButton(button) {
  button.addEventListener("click", () => setLive(!live));
  changed = () => {
    button.textContent = live ? "Live" : "Paused";
    button.title = live ? "Refreshes every 2 seconds. Click to pause." : "Click to go on.";
    button.setAttribute("aria-pressed", String(live));
  };
  changed();
}

/** @param {boolean} on */
function setLive(on) {
  live = on;
  changed();
  dispatchEvent(new Event("pawl:live"));
}

/**
 * @param {(signal: AbortSignal) => Promise<boolean>} load Resolves to false when nothing can change any more.
 * @param {(error: unknown) => boolean} failed Answers whether to go on.
 */
export function poll(load, failed) {
  const end = new AbortController();
  const { signal } = end;
  let busy = false;
  let again = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function round() {
    clearTimeout(timer);
    again = busy;
    if (busy) return;
    busy = true;
    const more = await load(signal).catch((error) => !signal.aborted && failed(error));
    busy = false;
    if (signal.aborted) return;
    if (again) round();
    else if (more) timer = setTimeout(next, EVERY_MS);
  }

  function next() {
    if (live && Date.now() - lastInput > UNATTENDED_MS) setLive(false);
    if (live && !document.hidden) round();
  }

  document.addEventListener("visibilitychange", next, { signal });
  addEventListener("pawl:live", next, { signal });
  round();
  return {
    refresh: round,
    stop() {
      clearTimeout(timer);
      end.abort();
    },
  };
}

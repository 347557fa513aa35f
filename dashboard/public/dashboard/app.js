// @ts-check
/** @import { View, Act } from "../../types.ts" */
import { ApiError } from "./api.js";
import { flashBanner, hideBanner, showBanner } from "./parts/banner.js";
import { byId, h } from "./parts/dom.js";
import { signInForm } from "./parts/sign-in.js";
import { updateClocks } from "./parts/time.js";
import { liveButton, poll } from "./poll.js";
import { signInFromAddress, signOut, token } from "./session.js";
import { deadLettersView } from "./views/dead-letters.js";
import { runView } from "./views/run.js";
import { runsView } from "./views/runs.js";

const main = byId("main");
const pages = byId("pages");
const live = byId("live");
const leave = byId("sign-out");

/** @type {ReturnType<typeof poll> | undefined} */
let polling;

/** @type {Act} */
async function act(work) {
  const mine = polling;
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 401) fail(error);
    else flashBanner(error.message);
  }
  if (mine === polling) mine?.refresh();
}

/** @returns {View | null} */
function viewAt(/** @type {string} */ hash) {
  const [path = "", query] = (hash.slice(1) || "/runs").split("?");
  const [, page, id, ...rest] = path.split("/");
  if (rest.length > 0) return null;
  if (page === "runs" && id) return runView(id, act);
  if (page === "runs") return runsView(new URLSearchParams(query));
  if (page === "dead-letters" && !id) return deadLettersView(new URLSearchParams(query), act);
  return null;
}

function show() {
  // The skip link moves the focus only.
  if (location.hash === "#main") return;
  polling?.stop();
  polling = undefined;
  showBanner("");
  signInFromAddress();
  const signedIn = token() !== null;
  showControls(signedIn);
  markPage(location.hash.split(/[/?]/)[1] ?? "runs");
  if (!signedIn) return put("Sign in", signInForm("", show));
  const view = viewAt(location.hash);
  if (view === null) return put("Not found", nothing("There is no such page.", location.hash));
  put(view.title, view.element);
  polling = poll(async (signal) => {
    const more = await view.load(signal);
    hideBanner();
    return more;
  }, fail);
}

/**
 * Tells what went wrong; true when another try may go better.
 * @param {unknown} error
 */
function fail(error) {
  if (!(error instanceof ApiError)) {
    showBanner("Something went wrong in this page. Reload it, please.");
    throw error;
  }
  if (error.status === 401) {
    polling?.stop();
    signOut();
    showControls(false);
    put("Sign in", signInForm("This token is not accepted.", show));
    return false;
  }
  if (error.passing) {
    showBanner(`${error.message} Trying again…`);
    return true;
  }
  const missing = error.status === 404;
  put(
    missing ? "Not found" : "Not possible",
    nothing(missing ? "There is no such run." : "This cannot be shown.", error.message),
  );
  return false;
}

/**
 * @param {string} title
 * @param {HTMLElement} element
 */
function put(title, element) {
  document.title = `${title} · Pawl`;
  main.replaceChildren(element);
}

/** @param {boolean} signedIn */
function showControls(signedIn) {
  for (const control of [pages, live, leave]) control.hidden = !signedIn;
}

/**
 * @param {string} text
 * @param {string} more
 */
function nothing(text, more) {
  const back = h("p", {}, h("a", { href: "#/runs" }, "All runs"));
  return h("div", { class: "empty" }, h("h1", {}, text), h("p", { class: "soft" }, more), back);
}

/** @param {string} page */
function markPage(page) {
  for (const link of document.querySelectorAll("nav a[data-page]")) {
    if (link.getAttribute("data-page") === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

liveButton(live);
leave.addEventListener("click", () => {
  signOut();
  show();
});
addEventListener("hashchange", () => {
  show();
  main.focus();
});
setInterval(updateClocks, 1_000);
show();

// @ts-check
import { h } from "./dom.js";

const thisYear = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const otherYear = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/**
 * An instant in the reader's time zone; UTC is in the title.
 * @param {string | null} iso
 */
export function instant(iso) {
  if (iso === null) return "–";
  const date = new Date(iso);
  const format = date.getFullYear() === new Date().getFullYear() ? thisYear : otherYear;
  return h("time", { datetime: iso, title: utc(iso) }, format.format(date));
}

/**
 * How long it took, or, while there is no end, how long it has been going on.
 * @param {string | null} from
 * @param {string | null} to
 */
export function took(from, to) {
  if (from === null) return "–";
  const ms = (to === null ? Date.now() : Date.parse(to)) - Date.parse(from);
  return h("span", { class: "span", "data-since": to === null && from }, duration(ms));
}

/**
 * How long until then.
 * @param {string} iso
 */
export function until(iso) {
  const props = { datetime: iso, title: utc(iso), "data-until": iso };
  return h("time", props, inTime(iso));
}

/** Lets what counts up or down go on; once a second. */
export function updateClocks() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-since], [data-until]")) {
    const { since, until } = /** @type {HTMLElement} */ (element).dataset;
    if (until !== undefined) element.textContent = inTime(until);
    if (since !== undefined) element.textContent = duration(Date.now() - Date.parse(since));
  }
}

/**
 * Never below zero: the two clocks differ.
 * @param {number} ms
 */
function duration(ms) {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`;
}

/** @param {string} iso */
function inTime(iso) {
  const ms = Date.parse(iso) - Date.now();
  return ms <= 0 ? "now" : `in ${duration(Math.ceil(ms / 1_000) * 1_000).replace(".0 s", " s")}`;
}

/** @param {string} iso */
function utc(iso) {
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)} UTC`;
}

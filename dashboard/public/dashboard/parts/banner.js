// @ts-check
import { byId } from "./dom.js";

const FLASH_MS = 8_000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let flashing;

/**
 * Says what is wrong until it is over.
 * @param {string} text
 */
export function showBanner(text) {
  clearTimeout(flashing);
  flashing = undefined;
  byId("banner").textContent = text;
}

/**
 * Says what went wrong for as long as reading it takes.
 * @param {string} text
 */
export function flashBanner(text) {
  showBanner(text);
  flashing = setTimeout(() => showBanner(""), FLASH_MS);
}

/** What was wrong is over. */
export function hideBanner() {
  if (flashing === undefined) showBanner("");
}

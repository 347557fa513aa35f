// @ts-check
import { h } from "./dom.js";

/** What is longer is cut until asked for: a megabyte of text makes a page slow. */
const SHOWN = 20_000;

/**
 * A value as JSON, with a button that copies it.
 * @param {unknown} value
 * @param {unknown} [meta] Which of its parts are of types that JSON has not.
 */
export function payload(value, meta) {
  const text = visible(JSON.stringify(value, null, 2) ?? "undefined");
  const shown = h("code", {}, text.slice(0, SHOWN));
  const box = h("div", { class: "payload" }, h("pre", { tabindex: 0 }, shown));
  if (text.length > SHOWN) {
    const all = (/** @type {Event} */ event) => {
      shown.textContent = text;
      /** @type {HTMLElement} */ (event.currentTarget).remove();
    };
    box.append(h("button", { type: "button", click: all }, `Show all ${kilobytes(text.length)}`));
  }
  if (meta !== undefined) {
    const types = h("pre", { tabindex: 0 }, h("code", {}, JSON.stringify(meta, null, 2)));
    box.append(h("details", { class: "soft" }, h("summary", {}, "Types beyond JSON"), types));
  }
  // There only under HTTPS and on localhost.
  if (navigator.clipboard !== undefined) box.append(copyButton(text));
  return box;
}

/** @param {string} text */
export function copyButton(text) {
  const copy = async (/** @type {Event} */ event) => {
    const button = /** @type {HTMLElement} */ (event.currentTarget);
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1_500);
  };
  return h("button", { type: "button", class: "copy", click: copy }, "Copy");
}

/**
 * Writes out the characters that would turn the direction of the text around them.
 * @param {string} json
 */
function visible(json) {
  return json.replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
}

/** @param {number} length */
function kilobytes(length) {
  return `${Math.ceil(length / 1_000).toLocaleString()} KB`;
}

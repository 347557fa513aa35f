// @ts-check
/** @import { Failure } from "../../../types.ts" */
import { h } from "./dom.js";

/**
 * A failure in one line.
 * @param {Failure} failure
 */
export function failureLine(failure) {
  return h("span", { class: "failure-line" }, h("b", {}, failure.name), `: ${failure.message}`);
}

/**
 * A failure with all that is known of it, its causes inside.
 * @param {Failure} failure
 * @returns {HTMLElement}
 */
export function failureBlock(failure) {
  const { step, stack, cause, code } = failure;
  const place = [step && `in step ${step}`, code === "error" ? null : `code ${code}`].filter(Boolean);
  return h(
    "div",
    { class: "failure" },
    h("p", { class: "message" }, failureLine(failure)),
    place.length > 0 && h("p", { class: "soft" }, place.join(" · ")),
    stack === undefined
      ? null
      : h("details", {}, h("summary", {}, "Stack"), h("pre", { tabindex: 0 }, h("code", {}, stack))),
    cause === undefined
      ? null
      : h("details", { open: true }, h("summary", {}, "Caused by"), failureBlock(cause)),
  );
}

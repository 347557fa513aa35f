// @ts-check
/** @import { Run } from "../../../types.ts" */
import { h } from "./dom.js";

/** Every status a run can have, in the order of a run's life. */
export const STATUSES = ["ready", "running", "waiting", "paused", "completed", "failed", "dead", "cancelled"];

/**
 * A word with its colour: of a run's status or of a journal entry's outcome.
 * @param {string} word
 */
export function badge(word) {
  return h("span", { class: "badge", "data-word": word }, titled(word));
}

/** @param {string} word */
export function titled(word) {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** @param {Run} run */
export function isDeadLetter(run) {
  return run.status === "failed" || run.status === "dead";
}

/** @param {Run} run */
export function isActive(run) {
  return run.status === "ready" || run.status === "running" || run.status === "waiting";
}

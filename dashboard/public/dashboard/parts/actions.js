// @ts-check
/** @import { Act, Run } from "../../../types.ts" */
import { post } from "../api.js";
import { h } from "./dom.js";
import { isActive, isDeadLetter } from "./status.js";

/**
 * The buttons for what can be done to a run now.
 * @param {Run} run
 * @param {Act} act
 */
export function actions(run, act) {
  const id = encodeURIComponent(run.id);
  const box = h("div", { class: "actions" });
  /**
   * @param {string} word
   * @param {string} path
   * @param {string} question Asked before; empty for what does no harm.
   */
  const offer = (word, path, question) => {
    const click = async (/** @type {Event} */ event) => {
      if (question !== "" && !(await confirmed(question, `${word} run`))) return;
      const button = /** @type {HTMLButtonElement} */ (event.target);
      button.disabled = true;
      await act(() => post(path));
      button.disabled = false;
    };
    const label = `${word} ${run.workflow} ${run.id}`;
    box.append(h("button", { type: "button", click, "aria-label": label }, word));
  };
  if (isActive(run) && run.pausedAt === null) offer("Pause", `/api/runs/${id}/pause`, "");
  if (run.pausedAt !== null) offer("Resume", `/api/runs/${id}/resume`, "");
  if (isActive(run) || run.status === "paused") {
    offer("Cancel", `/api/runs/${id}/cancel`, "It ends for good. What its steps have done stays done.");
  }
  if (isDeadLetter(run)) {
    offer("Revive", `/api/dead-letters/${id}/revive`, "");
    if (run.discardedAt === null) {
      offer(
        "Discard",
        `/api/dead-letters/${id}/discard`,
        "It leaves the dead letters, and stays in the runs.",
      );
    }
  }
  return box;
}

/**
 * @param {string} text
 * @param {string} word
 * @returns {Promise<boolean>}
 */
function confirmed(text, word) {
  const { promise, resolve } = Promise.withResolvers();
  const close = () => dialog.close();
  const closed = () => {
    dialog.remove();
    resolve(dialog.returnValue === "yes");
  };
  const dialog = h(
    "dialog",
    { "aria-labelledby": "question", close: closed },
    h("h2", { id: "question" }, `${word}?`),
    h("p", {}, text),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "button", click: close }, "Keep it"),
      h("button", { type: "button", class: "danger", click: () => dialog.close("yes") }, word),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return promise;
}

// @ts-check
/** @import { Act, Run, RunPage, View } from "../../../types.ts" */
import { get } from "../api.js";
import { actions } from "../parts/actions.js";
import { fill, h, patch } from "../parts/dom.js";
import { failureLine } from "../parts/failure.js";
import { pager } from "../parts/pager.js";
import { badge } from "../parts/status.js";
import { table } from "../parts/table.js";
import { instant } from "../parts/time.js";

/**
 * The runs that a person must look at.
 * @param {URLSearchParams} params
 * @param {Act} act
 * @returns {View}
 */
export function deadLettersView(params, act) {
  const rows = table("Dead letters, newest first", ["Status", "Workflow", "Why", "Ended", "What to do"]);
  const foot = h("div", {});
  const about =
    "Runs that failed or died. Revive one and it goes on where it stopped: what is done stays done.";
  rows.element.hidden = true;

  return {
    title: "Dead letters",
    element: h("div", {}, h("h1", {}, "Dead letters"), h("p", { class: "soft" }, about), rows.element, foot),
    async load(signal) {
      const query = params.toString();
      /** @type {RunPage} */
      const page = await get(`/api/dead-letters${query && `?${query}`}`, signal);
      rows.element.hidden = page.runs.length === 0;
      patch(rows.body, page.runs, (run) => run.id, rowOf);
      fill(foot, [page.runs.length, page.nextCursor], () =>
        page.runs.length > 0 ? pager("dead-letters", params, page.nextCursor) : nothing(),
      );
      return true;
    },
  };

  /** @param {Run} run */
  function rowOf(run) {
    const { failure } = run;
    return rows.row(
      badge(run.status),
      h(
        "a",
        { class: "subject", href: `#/runs/${run.id}` },
        h("b", {}, run.workflow),
        h("span", { class: "id" }, run.id),
      ),
      failure === null ? "–" : failureLine(failure),
      instant(run.finishedAt),
      actions(run, act),
    );
  }
}

function nothing() {
  return h("div", { class: "empty" }, h("h2", {}, "No dead letters"), h("p", {}, "Nothing needs you."));
}

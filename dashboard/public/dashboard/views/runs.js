// @ts-check
/** @import { Run, RunPage, View, Workflow } from "../../../types.ts" */
import { get } from "../api.js";
import { fill, h, patch } from "../parts/dom.js";
import { failureLine } from "../parts/failure.js";
import { firstRun } from "../parts/first-run.js";
import { address, pager } from "../parts/pager.js";
import { badge, isActive, isDeadLetter, STATUSES, titled } from "../parts/status.js";
import { table } from "../parts/table.js";
import { instant, took, until } from "../parts/time.js";

/**
 * The newest runs. All filters are in the address.
 * @param {URLSearchParams} params
 * @returns {View}
 */
export function runsView(params) {
  const rows = table("Runs, newest first", ["Status", "Workflow", "Where it is", "Created", "Took"]);
  const filters = h("div", { class: "filters" }, statusLinks(params), h("div", {}));
  const foot = h("div", {});
  const element = h("div", {}, h("h1", {}, "Runs"), filters, rows.element, foot);
  rows.element.hidden = true;
  /** @type {readonly Workflow[] | undefined} */
  let workflows;

  return {
    title: "Runs",
    element,
    async load(signal) {
      const query = params.toString();
      const [page, known] = await Promise.all([
        /** @type {Promise<RunPage>} */ (get(`/api/runs${query && `?${query}`}`, signal)),
        workflows ?? get("/api/workflows", signal).then(({ workflows }) => workflows),
      ]);
      if (workflows === undefined) filters.lastElementChild?.replaceWith(workflowChoice(params, known));
      workflows = known;
      rows.element.hidden = page.runs.length === 0;
      patch(rows.body, page.runs, (run) => run.id, rowOf);
      fill(foot, [page.runs.length, page.nextCursor], () =>
        page.runs.length > 0 ? pager("runs", params, page.nextCursor) : nothing(params, known),
      );
      return true;
    },
  };

  /** @param {Run} run */
  function rowOf(run) {
    return rows.row(
      badge(run.status),
      h(
        "a",
        { class: "subject whole-row", href: `#/runs/${run.id}` },
        h("b", {}, run.workflow),
        h("span", { class: "id" }, run.id),
      ),
      whereabouts(run),
      instant(run.createdAt),
      took(run.startedAt, run.finishedAt),
    );
  }
}

/**
 * Answers "where is it stuck?" without opening the run.
 * @param {Run} run
 */
function whereabouts(run) {
  const { status, failure, currentStep, wakeAt, stepsDone } = run;
  const done = `${stepsDone} ${stepsDone === 1 ? "step" : "steps"} done`;
  if (failure !== null && isDeadLetter(run)) return failureLine(failure);
  if (status === "waiting" && wakeAt !== null) {
    return h("span", {}, h("b", {}, currentStep ?? "Sleep"), " ", until(wakeAt), h("small", {}, done));
  }
  if (currentStep === null || !isActive(run)) return h("span", { class: "soft" }, done);
  return h("span", {}, h("b", {}, currentStep), h("small", {}, done));
}

/** @param {URLSearchParams} params */
function statusLinks(params) {
  const chosen = params.get("status");
  const link = (/** @type {string | null} */ status) =>
    h(
      "a",
      {
        href: address("runs", params, { status, cursor: null }),
        "aria-current": chosen === status && "true",
      },
      status === null ? "All" : titled(status),
    );
  return h("nav", { class: "statuses", "aria-label": "Status" }, ...[null, ...STATUSES].map(link));
}

/**
 * @param {URLSearchParams} params
 * @param {readonly Workflow[]} workflows
 */
function workflowChoice(params, workflows) {
  const chosen = params.get("workflow") ?? "";
  const names = new Set(workflows.map(({ name }) => name).sort());
  // Its runs may outlive a workflow.
  if (chosen !== "") names.add(chosen);
  const change = (/** @type {Event} */ event) => {
    const { value } = /** @type {HTMLSelectElement} */ (event.target);
    location.hash = address("runs", params, { workflow: value || null, cursor: null });
  };
  return h(
    "label",
    {},
    h("span", { class: "unseen" }, "Workflow"),
    h(
      "select",
      { change },
      h("option", { value: "" }, "Every workflow"),
      ...[...names].map((name) => h("option", { value: name, selected: name === chosen }, name)),
    ),
  );
}

/**
 * @param {URLSearchParams} params
 * @param {readonly Workflow[]} workflows
 */
function nothing(params, workflows) {
  if (params.size === 0) return firstRun(workflows[0]);
  return h(
    "div",
    { class: "empty" },
    h("h2", {}, "No runs match"),
    h("p", {}, h("a", { href: "#/runs" }, "Clear the filters")),
  );
}

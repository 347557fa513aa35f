// @ts-check
/** @import { Act, JournalLine, JournalPage, RunDetail, View } from "../../../types.ts" */
/** @import { Child } from "../parts/dom.js" */
import { get } from "../api.js";
import { actions } from "../parts/actions.js";
import { fill, h, patch } from "../parts/dom.js";
import { failureBlock } from "../parts/failure.js";
import { payload } from "../parts/payload.js";
import { badge, isActive } from "../parts/status.js";
import { table } from "../parts/table.js";
import { instant, took, until } from "../parts/time.js";

const PAGE = 100;
/** More rows than anybody reads; the API has the rest. */
const SHOWN = 1_000;

/**
 * One run: what it is, why it failed, what went in and came out, and its journal.
 * @param {string} id
 * @param {Act} act
 * @returns {View}
 */
export function runView(id, act) {
  const path = `/api/runs/${encodeURIComponent(id)}`;
  const [head, failure, facts, values] = [h("div"), h("div"), h("div"), h("div")];
  const columns = ["#", "Step", "Outcome", "Attempt", "Started", "Took", "Result"];
  const rows = table("Journal, oldest first", columns);
  const note = h("p", { class: "soft" });
  const journal = h("section", { class: "journal" }, h("h2", {}, "Journal"), rows.element, note);
  journal.hidden = true;
  /** @type {JournalLine[]} */
  let lines = [];
  /** Where the last page that may still grow begins. */
  let cursor = "";

  return {
    title: `Run ${id}`,
    element: h("article", { class: "run" }, head, failure, facts, values, journal),
    async load(signal) {
      /** @type {RunDetail} */
      const run = await get(path, signal);
      fill(head, headFacts(run), () => heading(run, act));
      fill(failure, [run.failure, run.status], () => failureSection(run));
      fill(facts, run, factList);
      fill(values, [run.input, run.inputMeta, run.output, run.outputMeta, run.status], () =>
        valueSections(run),
      );
      // After the run, so that a run that is over has its whole journal.
      await readOn(signal);
      journal.hidden = false;
      rows.element.hidden = lines.length === 0;
      patch(rows.body, lines, (line) => line.seq, lineRow);
      note.textContent = remark();
      return isActive(run);
    },
  };

  /** @param {AbortSignal} signal */
  async function readOn(signal) {
    while (lines.length < SHOWN) {
      const after = cursor === "" ? "" : `&cursor=${cursor}`;
      /** @type {JournalPage} */
      const page = await get(`${path}/journal?limit=${PAGE}${after}`, signal);
      const first = page.entries[0]?.seq ?? Number.POSITIVE_INFINITY;
      lines = [...lines.filter((line) => line.seq < first), ...page.entries];
      if (page.nextCursor === null) return;
      cursor = page.nextCursor;
    }
  }

  function remark() {
    if (lines.length === 0) return "Nothing is done yet.";
    return lines.length < SHOWN
      ? ""
      : `These are the first ${lines.length} entries; the API has all: ${path}/journal`;
  }

  /** @param {JournalLine} line */
  function lineRow(line) {
    return rows.row(
      String(line.seq),
      h("span", {}, h("b", {}, line.key ?? "–"), line.kind === "step" ? null : h("small", {}, line.kind)),
      badge(line.outcome),
      line.kind === "step" ? String(line.attempt) : "–",
      instant(line.startedAt),
      // A sleep is journaled when it is over.
      line.kind === "step" ? took(line.startedAt, line.recordedAt) : "–",
      result(line),
    );
  }
}

/** @param {RunDetail} run */
function headFacts({ id, workflow, version, status, discardedAt }) {
  return { id, workflow, version, status, discardedAt };
}

/**
 * @param {RunDetail} run
 * @param {Act} act
 */
function heading(run, act) {
  return h(
    "header",
    {},
    h("p", { class: "crumbs" }, h("a", { href: "#/runs" }, "Runs"), ` / ${run.id}`),
    h(
      "div",
      { class: "title" },
      h("h1", {}, run.workflow, h("span", { class: "version" }, ` v${run.version}`)),
      badge(run.status),
      run.discardedAt === null ? null : badge("discarded"),
      actions(run, act),
    ),
  );
}

/** @param {RunDetail} run */
function failureSection({ failure }) {
  if (failure === null) return h("div");
  return h("section", { class: "alarm" }, h("h2", {}, "Failure"), failureBlock(failure));
}

/** @param {RunDetail} run */
function factList(run) {
  /** @type {[string, Child][]} */
  const facts = [
    ["Created", instant(run.createdAt)],
    ["Started", instant(run.startedAt)],
    ["Finished", run.finishedAt && instant(run.finishedAt)],
    ["Took", took(run.startedAt, run.finishedAt)],
    ["Now at", isActive(run) ? run.currentStep : null],
    ["Wakes", run.status === "waiting" && run.wakeAt ? until(run.wakeAt) : null],
    ["Deadline", run.deadlineAt && instant(run.deadlineAt)],
    ["Discarded", run.discardedAt && instant(run.discardedAt)],
    ["Steps done", String(run.stepsDone)],
    ["Turns", String(run.turn)],
    ["Lost turns", run.lostTurns > 0 && String(run.lostTurns)],
    ["Idempotency key", run.idempotencyKey],
    ["Tags", run.tags.join(", ") || null],
  ];
  const shown = facts.filter(([, value]) => value !== null && value !== false && value !== "");
  return h(
    "dl",
    { class: "facts" },
    ...shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** @param {RunDetail} run */
function valueSections(run) {
  return h(
    "div",
    { class: "values" },
    h("section", {}, h("h2", {}, "Input"), payload(run.input, run.inputMeta)),
    run.status === "completed" &&
      h("section", {}, h("h2", {}, "Output"), payload(run.output, run.outputMeta)),
  );
}

/** @param {JournalLine} line */
function result(line) {
  const retry = line.retryAt === null ? null : h("small", {}, "next try ", instant(line.retryAt));
  if (line.failure !== null) {
    const { name, message } = line.failure;
    return h("details", {}, h("summary", {}, `${name}: ${message}`), failureBlock(line.failure), retry);
  }
  if (line.kind !== "step" || line.output === null) return "–";
  return h("details", {}, h("summary", {}, preview(line.output)), payload(line.output, line.outputMeta));
}

/** @param {unknown} value */
function preview(value) {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

// @ts-check
/** @import { Workflow } from "../../../types.ts" */
import { h } from "./dom.js";
import { copyButton } from "./payload.js";

/**
 * What there is to see before there are runs: how to start one.
 * @param {Workflow | undefined} workflow
 */
export function firstRun(workflow) {
  const heading = h("h2", {}, "No runs yet");
  if (workflow === undefined) {
    const hint = "This deployment has no workflow. Add one to src/workflows/index.ts.";
    return h("div", { class: "empty" }, heading, h("p", {}, hint));
  }
  const line = curl(workflow);
  return h(
    "div",
    { class: "empty" },
    heading,
    h("p", {}, "Start one from a terminal. It appears here by itself."),
    h(
      "div",
      { class: "payload wrapped" },
      h("pre", { tabindex: 0 }, h("code", {}, line)),
      navigator.clipboard !== undefined && copyButton(line),
    ),
    h("p", { class: "soft" }, "Set ", h("code", {}, "TOKEN"), " to the token that you signed in with."),
  );
}

/** @param {Workflow} workflow */
function curl(workflow) {
  const body = JSON.stringify({ input: sample(workflow.inputSchema, "input") }).replaceAll("'", "'\\''");
  return [
    `curl -X POST ${location.origin}/api/workflows/${encodeURIComponent(workflow.name)}/runs`,
    `-H "authorization: Bearer $TOKEN"`,
    "-H 'content-type: application/json'",
    `-d '${body}'`,
  ].join(" \\\n  ");
}

/**
 * A value that fits a JSON Schema, as far as such a thing can be guessed.
 * @param {any} schema
 * @param {string} name Of the property that it is for.
 * @returns {unknown}
 */
function sample(schema, name) {
  const { type, format, enum: choices, properties = {}, required = [], items, anyOf } = schema ?? {};
  if (schema?.default !== undefined) return schema.default;
  if (schema?.const !== undefined) return schema.const;
  if (choices !== undefined) return choices[0];
  if (anyOf !== undefined) return sample(anyOf[0], name);
  if (type === "array") return [sample(items, name)];
  if (type === "integer" || type === "number") {
    return Math.max(1, schema.minimum ?? 1, (schema.exclusiveMinimum ?? 0) + 1);
  }
  if (type === "boolean") return true;
  if (type === "string") return STRINGS[/** @type {keyof typeof STRINGS} */ (format)] ?? `${name}-1`;
  return Object.fromEntries(
    required.map((/** @type {string} */ name) => [name, sample(properties[name], name)]),
  );
}

const STRINGS = {
  email: "ada@example.com",
  uri: "https://example.com",
  "date-time": "2030-01-01T00:00:00Z",
  date: "2030-01-01",
  uuid: "00000000-0000-4000-8000-000000000000",
};

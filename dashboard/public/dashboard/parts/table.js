// @ts-check
import { h } from "./dom.js";

/** @import { Child } from "./dom.js" */

/**
 * A table whose rows become cards on a narrow screen. The roles are said outright, because browsers forget
 * them for what is no longer laid out as a table.
 * @param {string} caption
 * @param {readonly string[]} columns
 */
export function table(caption, columns) {
  const heads = columns.map((name) => h("th", { scope: "col", role: "columnheader" }, name));
  const body = h("tbody", { role: "rowgroup" });
  const element = h(
    "table",
    { role: "table" },
    h("caption", { class: "unseen" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads)),
    body,
  );
  /** @param {...Child} cells */
  const row = (...cells) =>
    h(
      "tr",
      { role: "row" },
      ...cells.map((cell, i) => h("td", { role: "cell", "data-label": columns[i] ?? "" }, cell)),
    );
  return { element, body, row };
}

// @ts-check
import { h } from "./dom.js";

/**
 * The address of a list with these filters.
 * @param {string} page
 * @param {URLSearchParams} params
 * @param {Record<string, string | null>} changes Null takes a filter away.
 */
export function address(page, params, changes) {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) next.delete(name);
    else next.set(name, value);
  }
  const query = next.toString();
  return query === "" ? `#/${page}` : `#/${page}?${query}`;
}

/**
 * Links to the first page and to the next. A keyset knows no numbers and no way back but the browser's.
 * @param {string} page
 * @param {URLSearchParams} params
 * @param {string | null} nextCursor
 */
export function pager(page, params, nextCursor) {
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    params.has("cursor") && h("a", { href: address(page, params, { cursor: null }) }, "← Newest"),
    nextCursor !== null && h("a", { href: address(page, params, { cursor: nextCursor }) }, "Older →"),
  );
}

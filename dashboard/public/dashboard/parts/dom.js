// @ts-check
/** Everything shown goes through here, as text: no part of this page ever parses HTML. */

/** @typedef {Node | string | null | false} Child */
/** @typedef {string | number | boolean | null | undefined | ((event: Event) => void)} Prop */

/**
 * Makes an element. A function among `props` listens to the event of its name.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, Prop>} props
 * @param {...Child} children
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== false));
  return element;
}

/** @param {string} id */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`#${id} is missing`);
  return element;
}

/** What each element was made from. @type {WeakMap<Element, string>} */
const madeFrom = new WeakMap();

/**
 * Makes `parent` show `items`, and touches only what changed: the rest keeps focus, selection and what was
 * opened in it.
 * @template Item
 * @param {HTMLElement} parent
 * @param {readonly Item[]} items
 * @param {(item: Item) => string | number} keyOf
 * @param {(item: Item) => HTMLElement} make
 */
export function patch(parent, items, keyOf, make) {
  const keys = new Set(items.map((item) => String(keyOf(item))));
  const before = new Map();
  for (const child of [...parent.children]) {
    const key = child.getAttribute("data-key") ?? "";
    if (keys.has(key)) before.set(key, child);
    else child.remove();
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const source = JSON.stringify(item);
    const old = before.get(key);
    if (old !== undefined && madeFrom.get(old) === source) {
      if (old === place) place = old.nextElementSibling;
      else parent.insertBefore(old, place);
      continue;
    }
    const fresh = make(item);
    fresh.setAttribute("data-key", key);
    madeFrom.set(fresh, source);
    if (old === undefined) parent.insertBefore(fresh, place);
    else {
      if (old === place) place = old.nextElementSibling;
      swap(old, fresh);
    }
  }
}

/**
 * Shows one value in `parent`, and makes it anew only when the value changed.
 * @template Item
 * @param {HTMLElement} parent
 * @param {Item} item
 * @param {(item: Item) => HTMLElement} make
 */
export function fill(parent, item, make) {
  patch(parent, [item], () => "only", make);
}

/**
 * @param {Element} old
 * @param {Element} fresh
 */
function swap(old, fresh) {
  const controls = (/** @type {Element} */ within) =>
    /** @type {HTMLElement[]} */ ([...within.querySelectorAll("a, button, summary")]);
  const focused = controls(old).indexOf(/** @type {HTMLElement} */ (document.activeElement));
  old.replaceWith(fresh);
  controls(fresh)[focused]?.focus();
}

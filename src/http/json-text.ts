import { InvalidRequest, TooDeep, TooManyKeys } from "./refusals.ts";

export const DEPTH_LIMIT = 64;
export const KEY_LIMIT = 10_000;

const [QUOTE, BACKSLASH, COLON, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [
  34, 92, 58, 91, 93, 123, 125,
];

/**
 * Refuses JSON text that is nested too deeply, has too many keys or gives a key twice, before any parser sees it: of
 * two equal keys a parser would drop one without a word. The keys of the `own` outermost levels are the route's fields and
 * are counted apart. Text that is not JSON may pass.
 */
export function checkShape(text: string, own: number): void {
  /** The keys so far of everything that is open here; none for a list. */
  const open: (Set<string> | undefined)[] = [];
  let [fields, keys] = [0, 0];
  let string = "";
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      const start = at;
      at = endOfString(text, at);
      string = text.slice(start, at + 1);
    } else if (char === OPEN_OBJECT || char === OPEN_LIST) {
      if (open.push(undefined) > DEPTH_LIMIT) throw new TooDeep(DEPTH_LIMIT);
    } else if (char === CLOSE_OBJECT || char === CLOSE_LIST) open.pop();
    else if (char === COLON && open.length > 0) {
      const count = open.length > own ? ++keys : ++fields;
      if (count > KEY_LIMIT) throw new TooManyKeys(KEY_LIMIT);
      open[open.length - 1] = noteKey(open.at(-1) ?? new Set(), keyOf(string));
    }
  }
}

function noteKey(keys: Set<string>, key: string): Set<string> {
  if (keys.has(key)) throw new InvalidRequest("body", [`${key}: is given twice`]);
  return keys.add(key);
}

/** The key that a string in JSON text spells: escapes are another spelling of the same key. */
function keyOf(string: string): string {
  if (!string.includes("\\")) return string.slice(1, -1);
  try {
    return JSON.parse(string);
  } catch {
    return string;
  }
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === BACKSLASH) at++;
    else if (char === QUOTE) return at;
  }
  return text.length;
}

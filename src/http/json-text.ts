import { TooDeep, TooManyKeys } from "./refusals.ts";

export const DEPTH_LIMIT = 64;
export const KEY_LIMIT = 10_000;

const [QUOTE, BACKSLASH, COLON, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [
  34, 92, 58, 91, 93, 123, 125,
];

/**
 * Refuses JSON text that is nested too deeply or has too many keys, before any parser sees it. The fields
 * of the outermost object are the route's own and do not count as keys. Text that is not JSON passes.
 */
export function checkShape(text: string): void {
  let depth = 0;
  let keys = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) at = endOfString(text, at);
    else if (char === OPEN_OBJECT || char === OPEN_LIST) {
      if (++depth > DEPTH_LIMIT) throw new TooDeep(DEPTH_LIMIT);
    } else if (char === CLOSE_OBJECT || char === CLOSE_LIST) depth--;
    else if (char === COLON && depth > 1 && ++keys > KEY_LIMIT) throw new TooManyKeys(KEY_LIMIT);
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

import { InvalidCursor } from "./refusals.ts";

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
/** Up to nine digits: what fits Postgres' integer. */
const SEQ = /^(0|[1-9]\d{0,8})$/;

/** True for the form every run id has: nothing else can name a run. */
export function isUlid(text: string): boolean {
  return ULID.test(text);
}

/** Opaque to callers: where the next page starts. */
export function encodeCursor(last: string | number): string {
  return btoa(String(last)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The run id that the last page ended with. Throws `InvalidCursor`. */
export function runCursor(cursor: string): string {
  const id = decodeCursor(cursor);
  if (!isUlid(id)) throw new InvalidCursor();
  return id;
}

/** The journal's `seq` that the last page ended with. Throws `InvalidCursor`. */
export function seqCursor(cursor: string): number {
  const seq = decodeCursor(cursor);
  if (!SEQ.test(seq)) throw new InvalidCursor();
  return Number(seq);
}

/** The number that the last page ended with, as large as a number can be and stay whole. Throws `InvalidCursor`. */
export function numberCursor(cursor: string): number {
  const number = decodeCursor(cursor);
  if (!/^[1-9]\d{0,14}$/.test(number)) throw new InvalidCursor();
  return Number(number);
}

/** Cuts the one row more that was asked for, to know whether there is another page. */
export function pageOf<Row>(rows: readonly Row[], limit: number, cursorOf: (row: Row) => string | number) {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? encodeCursor(cursorOf(last)) : null;
  return { shown, nextCursor };
}

/** What `encodeCursor` was given. Throws `InvalidCursor`. */
export function decodeCursor(cursor: string): string {
  let text: string;
  try {
    text = atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    throw new InvalidCursor();
  }
  // atob forgives spaces, padding and stray bits: only what encodeCursor wrote counts.
  if (encodeCursor(text) !== cursor) throw new InvalidCursor();
  return text;
}

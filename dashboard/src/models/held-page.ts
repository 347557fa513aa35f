/** A list that stays where it is while somebody reads it or has selected something in it, though newer runs come in above. */

interface Row {
  readonly id: string;
}

export interface ListPage<R extends Row> {
  readonly runs: readonly R[];
  readonly nextCursor: string | null;
}

/** What of the latest answer is shown, when `shown` must not move: its rows as they are now, without those that no longer match. */
export function heldPage<R extends Row>(shown: ListPage<R>, latest: ListPage<R>): ListPage<R> {
  const [first, last] = [shown.runs[0]?.id ?? "", latest.runs.at(-1)?.id ?? ""];
  const still = latest.runs.filter(({ id }) => id <= first);
  // Newer runs have pushed these out of the latest answer, which says nothing of them.
  const pushedOut = latest.nextCursor === null ? [] : shown.runs.filter(({ id }) => id < last);
  const nextCursor = pushedOut.length > 0 ? shown.nextCursor : latest.nextCursor;
  return { runs: [...still, ...pushedOut], nextCursor };
}

/** How many runs came in above what is shown; not exact where a page is too short for them. */
export function newerThan<R extends Row>(shown: ListPage<R>, latest: ListPage<R>) {
  const first = shown.runs[0]?.id ?? "";
  const count = latest.runs.filter(({ id }) => id > first).length;
  return { count, exact: count < latest.runs.length || latest.nextCursor === null };
}

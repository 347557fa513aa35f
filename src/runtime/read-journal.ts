/** Reads a journal that was too large to come with a claim, page by page: in the invocation that needs it, and nowhere else. */
import type { Entry } from "../engine/journal.ts";
import type { JournalPart } from "../engine/ports.ts";
import type { RunRef } from "../engine/run.ts";
import type { Runtime } from "./runtime.ts";

/** Null when the turn is no longer the run's. */
export async function readJournal(
  { store }: Runtime,
  { tenant, runId }: RunRef,
  part: JournalPart,
): Promise<Entry[] | null> {
  const entries: Entry[] = [];
  for (;;) {
    const page = await store.readJournal({ tenant, runId }, part, entries.at(-1)?.seq ?? 0);
    if (page === null) return null;
    for (const entry of page.entries) entries.push(entry);
    if (page.isLast) return entries;
  }
}

/** What a claim left out because it was too much. */
import type { Delivery } from "../../../src/engine/delivery.ts";
import type { Entry, JournalPage } from "../../../src/engine/journal.ts";
import type { JournalPart } from "../../../src/engine/ports.ts";
import type { RunRef } from "../../../src/engine/run.ts";
import { findRun, type State } from "./tables.ts";

export function readJournal(
  state: State,
  { tenant, runId }: RunRef,
  part: JournalPart,
  after: number,
): JournalPage | null {
  const run = findRun(state, tenant, runId);
  if ("turn" in part && (run?.row.turn !== part.turn || run.row.leaseExpiresAt === null)) return null;
  const { claimBytes, pageEntries } = state.sizes;
  const end = "upTo" in part ? part.upTo : Number.POSITIVE_INFINITY;
  const entries: Entry[] = [];
  let bytes = 0;
  for (const { entry } of run?.journal ?? []) {
    if (entry.seq <= after || entry.seq > end) continue;
    if (bytes >= claimBytes || entries.length === pageEntries) break;
    entries.push(entry);
    bytes += JSON.stringify(entry).length;
  }
  const isFull = bytes >= claimBytes || entries.length === pageEntries;
  return { entries, isLast: !isFull || entries.at(-1)?.seq === end };
}

export function readDelivery(state: State, { tenant, runId }: RunRef, id: number): Delivery | null {
  return findRun(state, tenant, runId)?.inbox.get(id)?.delivery ?? null;
}

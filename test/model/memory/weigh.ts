/** How much a claim brings: the lightest first, as long as there is room. */
import { bytesOf, type Json, jsonBytes } from "../../../src/engine/codec.ts";
import type { Delivery } from "../../../src/engine/delivery.ts";
import { INBOX_LIMIT } from "../../../src/storage/rows.ts";
import { OVERHEAD_BYTES } from "../../../src/storage/sizes.ts";
import type { State, StoredRun } from "./tables.ts";

/** One run alone always has room. */
export function share<Asked>(
  { sizes }: State,
  asked: readonly Asked[],
  weigh: (one: Asked) => number,
): Asked[] {
  if (asked.length < 2) return [...asked];
  const weighed = asked.map((one) => ({ one, weight: weigh(one) })).sort((a, b) => a.weight - b.weight);
  let total = 0;
  const fitting = weighed.filter(({ weight }) => {
    total += weight;
    return total <= sizes.claimBytes || total === weight;
  });
  return fitting.map(({ one }) => one);
}

export function weightOfRun({ sizes }: State, { row, inbox }: StoredRun, isKnown: boolean): number {
  const journal = isKnown ? 0 : row.journalBytes + OVERHEAD_BYTES * row.stepsDone;
  const arrived = [...inbox.values()].slice(0, INBOX_LIMIT).map(({ delivery }) => weightOf(delivery));
  const most = sizes.inboxBytes + 1_000_000;
  return OVERHEAD_BYTES + bytesOf(row.input) + journal + Math.min(most, sum(arrived));
}

/** Of a branch, whose run brings its journal up to where the step was asked for. */
export function weightOfBranch({ row, journal }: StoredRun, askedAt: number): number {
  return OVERHEAD_BYTES * (1 + askedAt) + bytesOf(row.input) + journalBytes(journal, askedAt);
}

export function journalBytes(journal: StoredRun["journal"], to: number): number {
  const its = journal.filter(({ entry }) => entry.seq <= to);
  return sum(its.map(({ entry }) => valueBytes(entry.output, entry.failure)));
}

export function weightOf({ payload, failure, attempts }: Delivery): number {
  return OVERHEAD_BYTES + valueBytes(payload, failure) + jsonBytes(attempts as unknown as Json);
}

function valueBytes(output: Delivery["payload"], failure: Delivery["failure"]): number {
  return (
    (output === null ? 0 : bytesOf(output)) + (failure === null ? 0 : jsonBytes(failure as unknown as Json))
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

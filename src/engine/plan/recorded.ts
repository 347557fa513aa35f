/**
 * I7: what is recorded of a run must be reached again by its function, and as what it was. A key that is reached once
 * stays so.
 */
import { JournalMismatch } from "../errors.ts";
import type { EntryKind, Reading } from "../journal.ts";
import type { ClaimedRun } from "../run.ts";

export class Recorded {
  private readonly kinds: ReadonlyMap<string, EntryKind>;
  private readonly keys: readonly string[];
  /** So many of them are known to be reached. */
  private reached = 0;

  constructor(run: ClaimedRun, reading: Reading) {
    this.kinds = new Map<string, EntryKind>([
      ...reading.settled.map((entry) => [entry.key, entry.kind] as const),
      ...[...reading.attempts].flatMap(([key, { kind }]) =>
        kind === "compensation" ? [] : [[key, kind] as const],
      ),
      ...run.timers.map((timer) => [timer.key, "sleep"] as const),
      // A person is waited for on behalf of a step, whose attempts stand in the journal.
      ...run.waits.flatMap(({ key, kind }) => (kind === "person" ? [] : [[key, kind] as const])),
    ]);
    this.keys = [...this.kinds.keys()];
  }

  /** Null when nothing is recorded under the key, or the same kind. No map is ever recorded under its own key. */
  clash(key: string, now: EntryKind | "map"): JournalMismatch | null {
    const recorded = this.kinds.get(key);
    if (recorded === undefined || recorded === now) return null;
    return JournalMismatch.otherKind(key, recorded, now);
  }

  /**
   * Null when everything recorded is reached; else the first that is not. `open` is what the function asks for,
   * `lastCall` what its code began last outside a step.
   */
  missing(
    isReached: (key: string) => boolean,
    open: () => readonly string[],
    lastCall: string | undefined,
  ): JournalMismatch | null {
    for (; this.reached < this.keys.length; this.reached++) {
      const key = this.keys[this.reached];
      if (key === undefined || isReached(key)) continue;
      return JournalMismatch.notReached(key, this.kinds.get(key) ?? "step", open(), lastCall);
    }
    return null;
  }
}

import type { Decision } from "../../../../src/engine/decide.ts";
import type { DueRun } from "../../../../src/engine/ports.ts";
import type { State, StoredRun, TenantTables } from "../tables.ts";

/** A decision whose turn is still the run's. */
export interface Held {
  readonly decision: Decision;
  readonly run: StoredRun;
  readonly tenant: TenantTables;
}

/** What a commit writes besides runs and journals, for all its turns at once; gives what is due because of it. */
export type Part = (state: State, held: readonly Held[]) => readonly DueRun[];

export const NOBODY: readonly DueRun[] = [];

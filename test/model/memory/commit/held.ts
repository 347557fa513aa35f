import type { Decision } from "../../../../src/engine/decide.ts";
import type { DueRun } from "../../../../src/engine/ports.ts";
import type { State, StoredRun, TenantTables } from "../tables.ts";

/** A decision whose turn is still the run's. */
export interface Held {
  readonly decision: Decision;
  readonly run: StoredRun;
  readonly tenant: TenantTables;
}

/** What a commit writes besides the run and its journal: for all its turns one part, then for all of them the next. */
export interface Part {
  /** False when the decision has nothing for it. */
  concerns(decision: Decision): boolean;
  /** Gives what is due because of it. */
  write(state: State, held: Held): readonly DueRun[];
}

/** What a part gives that makes nobody due. */
export const NOBODY: readonly DueRun[] = [];

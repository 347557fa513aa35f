/** A commit is all or nothing: what a unique index would refuse is found out before anything is written. */
import type { State } from "../tables.ts";
import { ConstraintViolated } from "../values.ts";
import { childrenOf } from "./children.ts";
import type { Held } from "./held.ts";
import { refuseEntries } from "./journal.ts";

export function refuseWhatTablesRefuse(_: State, held: readonly Held[]): void {
  const born = new Set<string>();
  for (const one of held) {
    const { decision, run } = one;
    refuseEntries(run, decision.entries);
    for (const { key } of decision.timers) {
      if (run.timers.has(key)) throw new ConstraintViolated(`timers_pkey: ${key}`);
    }
    for (const { key } of decision.waits) {
      if (run.waits.has(key) && !decision.endedWaits.includes(key)) {
        throw new ConstraintViolated(`waits_pkey: ${key}`);
      }
    }
    for (const { id } of childrenOf(decision)) {
      const name = `${one.tenant.name}/${id}`;
      if (one.tenant.runs.has(id) || born.has(name)) throw new ConstraintViolated(`runs_pkey: ${id}`);
      born.add(name);
    }
  }
}

/** A commit is all or nothing: what a unique index would refuse is found out before anything is written. */
import { ConstraintViolated } from "../values.ts";
import { childrenOf } from "./children.ts";
import type { Held } from "./held.ts";
import { refuseEntries } from "./journal.ts";

export function refuseWhatTablesRefuse(held: readonly Held[]): void {
  const born = new Set<string>();
  for (const { decision, run, tenant } of held) {
    refuseEntries(run, decision.entries);
    refuseTwice("timers_pkey", decision.timers, (key) => run.timers.has(key));
    const stays = (key: string) => run.waits.has(key) && !decision.endedWaits.includes(key);
    refuseTwice("waits_pkey", decision.waits, stays);
    for (const { id } of childrenOf(decision)) {
      const name = JSON.stringify([tenant.name, id]);
      if (tenant.runs.has(id) || born.has(name)) throw new ConstraintViolated(`runs_pkey: ${id}`);
      born.add(name);
    }
  }
}

function refuseTwice(
  name: string,
  rows: readonly { readonly key: string }[],
  isThere: (key: string) => boolean,
): void {
  const keys = new Set<string>();
  for (const { key } of rows) {
    if (keys.has(key) || isThere(key)) throw new ConstraintViolated(`${name}: ${key}`);
    keys.add(key);
  }
}

/** Sweeps over many runs in one transaction, which a single row that Postgres refuses would undo for all of them. */
import { StoreUnavailable } from "../engine/errors.ts";
import type { Sweep } from "../engine/ports.ts";
import type { RunRef } from "../engine/run.ts";
import type { Db, Statement } from "./db.ts";

/** SQL: whether the run is among those of `only`, a list of pairs; null means all. */
export const isAmong = (tenant: string, id: string, only: string) =>
  `(${only}::jsonb is null or ${only}::jsonb @> jsonb_build_array(jsonb_build_array(${tenant}, ${id})))`;

/** `sweep` takes what `isAmong` reads. `candidates` names the runs that it would look after, as `tenant` and `id`. */
export async function sparing(
  db: Db,
  candidates: Statement,
  sweep: (only: string | null) => Promise<Sweep>,
): Promise<Sweep> {
  try {
    return await sweep(null);
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error;
  }
  const [rows = []] = await db.execute([candidates]);
  return sweepApart(
    rows.map(({ tenant, id }) => ({ tenant, runId: id }) as RunRef),
    sweep,
  );
}

/** Halves what is refused until each bad run stands alone: one among a thousand costs some twenty transactions. */
async function sweepApart(runs: readonly RunRef[], sweep: (only: string) => Promise<Sweep>): Promise<Sweep> {
  const [first] = runs;
  if (first === undefined) return { due: [], swept: 0 };
  try {
    return await sweep(JSON.stringify(runs.map(({ tenant, runId }) => [tenant, runId])));
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error;
    if (runs.length === 1) return { due: [], swept: 0, refused: [{ ...first, error }] };
  }
  const half = Math.ceil(runs.length / 2);
  const one = await sweepApart(runs.slice(0, half), sweep);
  const other = await sweepApart(runs.slice(half), sweep);
  return {
    due: [...one.due, ...other.due],
    swept: one.swept + other.swept,
    refused: [...(one.refused ?? []), ...(other.refused ?? [])],
  };
}

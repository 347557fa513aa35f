/**
 * Statements and round trips of a step, counted once and apart from the rounds: the proxy that counts round trips and
 * `pg_stat_statements` take time of their own.
 */
import { labelOf } from "./figures.ts";
import type { Launched } from "./launch.ts";
import type { Server } from "./measure/server.ts";
import { onBed, type Stage } from "./rounds.ts";
import type { Work } from "./work.ts";
import { done, fits, TRIPS, warmUp } from "./workloads.ts";

export const TRIP_METRICS = [
  "round trips per step, alone",
  "statements per step, alone",
  "round trips per step, many",
  "statements per step, many",
] as const;

/** What the long one takes more than the short one is its steps': starts and ends cancel out. */
const SHORT = { runs: 1, steps: 20 };
const LONG = { runs: 1, steps: 120 };
const MANY = { runs: 500, steps: 5 };

interface Count {
  readonly steps: number;
  readonly trips: number;
  readonly statements: number;
}

export async function countTrips({ server, columns, figures }: Stage): Promise<void> {
  for (const column of columns.filter((column) => fits({ name: TRIPS }, column))) {
    const label = labelOf(column);
    console.error(`${TRIPS}: ${label}`);
    const runs = Math.min(MANY.runs, column.setting.caps?.runs ?? MANY.runs);
    await onBed(server, column, true, async (bed, url) => {
      await done(bed, warmUp(column));
      const of = (work: Work) => count(server, bed, url, work);
      const note = (kind: string, { steps, trips, statements }: Count) => {
        figures.note(label, `${TRIPS} round trips per step, ${kind}`, trips / steps);
        figures.note(label, `${TRIPS} statements per step, ${kind}`, statements / steps);
      };
      note("alone", difference(await of(LONG), await of(SHORT)));
      note("many", await of({ ...MANY, runs }));
    }).catch((error) => figures.fail(label, TRIPS, error));
  }
  await server.countStatements(false);
}

async function count(server: Server, bed: Launched, url: string, work: Work): Promise<Count> {
  await server.countStatements(true);
  const before = await bed.roundTrips();
  await done(bed, work);
  return {
    steps: work.runs * work.steps,
    trips: (await bed.roundTrips()) - before,
    statements: await server.statements(url),
  };
}

function difference(more: Count, less: Count): Count {
  return {
    steps: more.steps - less.steps,
    trips: more.trips - less.trips,
    statements: more.statements - less.statements,
  };
}

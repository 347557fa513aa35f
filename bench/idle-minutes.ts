/** W5: what each system asks of Postgres while nothing is live, counted over some real minutes, all of them at once. */
import { setTimeout as sleep } from "node:timers/promises";
import { labelOf } from "./figures.ts";
import type { Launched } from "./launch.ts";
import { onBed, type Stage } from "./rounds.ts";
import { done } from "./workloads.ts";

export const IDLE_METRICS = ["statements per minute", "statements per day"] as const;

/** A run has just ended: after so long whatever looks for the next one ever less often is at its slowest, or has stopped. */
const CALM_MINUTES = 5;
const MINUTE_MS = 60_000;
const MINUTES_A_DAY = 1_440;

export async function countIdle({ server, columns, figures }: Stage, minutes: number): Promise<void> {
  const idle = columns.filter(({ setting }) => setting.idle);
  if (idle.length === 0) return;
  console.error(`W5: ${minutes} minutes of nothing`);
  const calm = meeting(idle.length, () => server.countStatements(true));
  await Promise.all(
    idle.map(async (column) => {
      const label = labelOf(column);
      let arrived = false;
      await onBed(server, column, false, async (bed, url) => {
        await done(bed, { runs: 1, steps: 5 });
        await pass(bed, CALM_MINUTES);
        arrived = true;
        await calm();
        await pass(bed, minutes);
        const perMinute = (await server.statements(url)) / minutes;
        figures.note(label, "W5 statements per minute", perMinute);
        figures.note(label, "W5 statements per day", perMinute * MINUTES_A_DAY);
      }).catch(async (error) => {
        figures.fail(label, "W5", error);
        if (!arrived) await calm();
      });
    }),
  );
  await server.countStatements(false);
}

/** Real minutes, each of which begins with what a cron would do. */
async function pass(bed: Launched, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    await bed.tick();
    await sleep(MINUTE_MS);
  }
}

/** Whoever comes waits for all others; when the last is there, `then` happens once. */
function meeting(expected: number, then: () => Promise<void>): () => Promise<void> {
  const met = Promise.withResolvers<void>();
  let here = 0;
  return () => {
    here += 1;
    if (here === expected) then().then(met.resolve, met.reject);
    return met.promise;
  };
}

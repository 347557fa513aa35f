/** Round after round, every column in turn: each in a process and a database of its own, with nothing beside it. */
import { type Column, type Figures, labelOf, type Note } from "./figures.ts";
import { FLOOR, measureFloor } from "./floor.ts";
import { type Launched, launch } from "./launch.ts";
import { createMeter } from "./measure/meter.ts";
import type { Server } from "./measure/server.ts";
import type { Asked } from "./options.ts";
import { done, fits, WORKLOADS, type Workload, warmUp } from "./workloads.ts";

export interface Stage {
  readonly server: Server;
  readonly columns: readonly Column[];
  readonly figures: Figures;
}

export async function playRounds(stage: Stage, { rounds, steps, workloads: asked }: Asked): Promise<void> {
  const workloads = WORKLOADS.filter(({ name }) => asked.includes(name));
  if (workloads.length === 0) return;
  for (let round = 1; round <= rounds; round++) {
    console.error(`round ${round}: ${FLOOR}`);
    await measureFloor(stage.server, (metric, value) => stage.figures.note(FLOOR, metric, value));
    for (const column of rotated(stage.columns, round)) {
      console.error(`round ${round}: ${labelOf(column)}`);
      await playColumn(stage, column, workloads, steps);
    }
  }
}

/** Every round begins with another, so that none is always measured after the same. */
function rotated<T>(all: readonly T[], by: number): T[] {
  const first = by % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

async function playColumn(
  { server, figures }: Stage,
  column: Column,
  workloads: readonly Workload[],
  longSteps: number,
): Promise<void> {
  const label = labelOf(column);
  await onBed(server, column, false, async (bed, url) => {
    await done(bed, warmUp(column));
    for (const workload of workloads) {
      if (!fits(workload, column)) continue;
      await server.settle(url);
      const note: Note = (metric, value) => figures.note(label, `${workload.name} ${metric}`, value);
      try {
        await workload.measure({ column, bed, longSteps, meter: createMeter(server), note });
      } catch (error) {
        // What it left behind would be measured with what comes next.
        figures.fail(label, workload.name, error);
        return;
      }
    }
  }).catch((error) => {
    for (const { name } of workloads) figures.fail(label, name, error);
  });
}

/** A column at work on a database of its own, both of which are gone afterwards. */
export async function onBed<T>(
  server: Server,
  { system, setting }: Column,
  counted: boolean,
  work: (bed: Launched, url: string) => Promise<T>,
): Promise<T> {
  const url = await server.freshDatabase();
  try {
    const bed = await launch({ system: system.name, options: setting.options, url, counted });
    try {
      return await work(bed, url);
    } finally {
      await bed.close();
    }
  } finally {
    await server.drop(url);
  }
}

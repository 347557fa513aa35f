import type { Simulation } from "../simulation.ts";
import { channelPrograms } from "./channels.ts";
import { familyPrograms } from "./families.ts";
import { bolted, graphPrograms } from "./graphs.ts";
import type { Program } from "./program.ts";
import { sequencePrograms } from "./sequences.ts";
import { chain, once, stepPrograms } from "./steps.ts";
import { troublePrograms } from "./trouble.ts";
import { waitPrograms } from "./waits.ts";

/** Every program for one simulation; those in `trouble` come to what others hardly ever do. */
export function programsFor(world: Simulation): {
  readonly calm: readonly Program[];
  readonly trouble: readonly Program[];
} {
  const child = chain(world);
  const calm = [
    child,
    ...stepPrograms(world),
    ...waitPrograms(world),
    ...channelPrograms(world),
    ...graphPrograms(world),
    ...sequencePrograms(world, child),
    ...familyPrograms(world, child),
  ];
  return { calm, trouble: [...troublePrograms(world), once(world), bolted(world)] };
}

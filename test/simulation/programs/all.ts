import type { Simulation } from "../simulation.ts";
import { channelPrograms } from "./channels.ts";
import { familyPrograms } from "./families.ts";
import { graphPrograms } from "./graphs.ts";
import type { Program } from "./program.ts";
import { sequencePrograms } from "./sequences.ts";
import { chain, stepPrograms } from "./steps.ts";
import { waitPrograms } from "./waits.ts";

/** Every program for one simulation. */
export function programsFor(world: Simulation): readonly Program[] {
  const child = chain(world);
  return [
    child,
    ...stepPrograms(world),
    ...waitPrograms(world),
    ...channelPrograms(world),
    ...graphPrograms(world),
    ...sequencePrograms(world, child),
    ...familyPrograms(world, child),
  ];
}

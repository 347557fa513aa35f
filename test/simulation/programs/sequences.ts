/** Sequences, with every kind of part that they have. */
import { sequence } from "../../../src/pawl.ts";
import type { Simulation } from "../simulation.ts";
import { bodies, MINUTE, type Program, returns, signal } from "./program.ts";

export function sequencePrograms(world: Simulation, child: Program): readonly Program[] {
  return [course(world, child), treadmill(world)];
}

function course(world: Simulation, child: Program): Program {
  const body = bodies(world);
  const workflow = sequence("course")
    .step("open", body("open"))
    .parallel("pair", { x: body("x"), y: body("y") })
    .route("choose", ({ results }) => (results.pair.x === "x" ? "long" : "short"), {
      short: (on) => on.step("brief", body("brief")),
      long: (on) => on.step("detail", body("detail")).sleep("rest", MINUTE),
    })
    .loop("lap", ({ iteration }) => iteration, { until: ({ last }) => last === 3 })
    .waitForSignal("go", { timeout: 5 * MINUTE })
    .child("below", child.workflow, () => null as never)
    .build();
  const results = { open: "open", pair: { x: "x", y: "y" }, choose: "long", detail: "detail", lap: 3 };
  return {
    workflow,
    requests: [signal("go", "go-0", "now")],
    wrong: ({ output, ...outcome }) => {
      const { go } = (output ?? {}) as { go?: unknown };
      if (go !== "now" && go !== null) return `it was told ${go}`;
      const wanted = sorted({ ...results, go, below: "a,b,c" });
      return returns(wanted)({ ...outcome, output: sorted(output as object) });
    },
  };
}

/** A loop that is never over fails its run. */
function treadmill(world: Simulation): Program {
  const workflow = sequence("treadmill")
    .loop("round", bodies(world)("round"), { until: () => false, maxIterations: 2 })
    .build();
  return {
    workflow,
    wrong: ({ status, stored }) =>
      status === "failed" && stored.row.failure?.code === "loop_limit_reached" ? null : `it ${status}`,
  };
}

/** Stored objects come back in another order. */
function sorted(object: object): object {
  return Object.fromEntries(Object.entries(object).sort(([one], [other]) => (one < other ? -1 : 1)));
}

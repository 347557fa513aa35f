import { describe, expect, test } from "vitest";
import { watched } from "../../src/determinism.ts";
import type { AnyWorkflow, Steps } from "../../src/engine/workflow.ts";
import { SimulatedRun, workflowOf } from "../engine/support.ts";

/** A workflow as the registry has it. */
function watchedOf(code: (step: Steps) => Promise<unknown>): AnyWorkflow {
  const plain = workflowOf(code);
  return watched([plain], () => {})[0] ?? plain;
}

describe("a run that comes to rest with nothing to wait for", () => {
  const ends = (code: (step: Steps) => Promise<unknown>) => new SimulatedRun(watchedOf(code)).finish();
  const never = () => new Promise<never>(() => {});

  test.each<[string, (step: Steps) => Promise<unknown>, string]>([
    ["a timer", () => new Promise((resolve) => setTimeout(resolve, 60_000).unref()), "setTimeout()"],
    ["I/O", () => fetch("data:,here").then(never), "fetch()"],
    [
      "a timer that was set before a step",
      async (step) => {
        const late = new Promise((resolve) => setTimeout(resolve, 60_000).unref());
        await step.run("a", () => null);
        Date.now();
        await late;
      },
      "setTimeout()",
    ],
  ])("is dead, and told what it called last, when it awaits %s", async (_, code, call) => {
    expect(await ends(code)).toMatchObject({
      status: "dead",
      failure: {
        code: "workflow_stalled",
        message: expect.stringContaining(`Outside a step its code last called ${call}.`),
      },
    });
  });

  test("is dead, and told nothing that it did not do, when it awaits what never comes", async () => {
    const { failure } = await ends(async () => {
      Date.now();
      return never();
    });
    expect(failure?.code).toBe("workflow_stalled");
    expect(failure?.message).not.toContain("last called");
  });

  test("is dead when it awaits the step of another run, which goes on", async () => {
    let theirs: Promise<unknown> | undefined;
    const workflow = watchedOf((step) => {
      theirs ??= step.waitForSignal("go");
      return theirs;
    });
    const first = new SimulatedRun(workflow);
    expect(await first.turn()).toMatchObject({ status: "waiting" });
    const second = new SimulatedRun(workflow);
    expect(await second.finish()).toMatchObject({
      status: "dead",
      failure: { code: "workflow_stalled" },
    });
    theirs = undefined;
    first.signal("go", 1);
    expect(await first.finish()).toMatchObject({ status: "completed" });
  });

  test("before a step that is recorded is dead, and told what it called last", async () => {
    let slow = false;
    const workflow = watchedOf(async (step) => {
      if (slow) await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
      await step.run("a", () => null);
      await step.sleep("nap", 1_000);
    });
    const run = new SimulatedRun(workflow);
    await run.turn();
    slow = true;
    expect(await run.finish()).toMatchObject({
      status: "dead",
      failure: {
        code: "journal_mismatch",
        message: expect.stringContaining(
          "it asks for no step, and outside one its code last called setTimeout()",
        ),
      },
    });
  });
});

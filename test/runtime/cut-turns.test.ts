/** A turn that has journaled as much as it may leaves the rest of its inbox to the next (I4, I5, N2). */
import { describe, expect, test } from "vitest";
import { encode } from "../../src/engine/codec.ts";
import type { Delivery } from "../../src/engine/delivery.ts";
import type { Store } from "../../src/engine/ports.ts";
import type { ClaimedRun } from "../../src/engine/run.ts";
import type { Steps } from "../../src/engine/workflow.ts";
import { deliveryOf, workflowOf } from "../engine/support.ts";
import { leased, runtimeOf, takeWhole } from "./support.ts";

/** What one delivery of these tests brings, and one byte less than two of them do. */
const PAYLOAD = "0123456789";
const TURN_BYTES = 20;

function delivery(id: number, kind: Delivery["kind"], name: string, more: Partial<Delivery> = {}): Delivery {
  return deliveryOf({
    id,
    kind,
    name,
    outcome: "completed",
    payload: encode(PAYLOAD, "x"),
    arrivedAt: id,
    ...more,
  });
}

const branch = (id: number, name: string, more?: Partial<Delivery>) => delivery(id, "branch", name, more);
const signal = (id: number, more?: Partial<Delivery>) => delivery(id, "signal", "go", more);

/** The turn of a run in which no more may be journaled than two deliveries bring. */
function turnOf(
  body: (step: Steps) => Promise<unknown>,
  run: Partial<ClaimedRun>,
  store: Partial<Store> = {},
) {
  const runtime = runtimeOf({ workflows: [workflowOf(body)], store });
  const settings = { ...runtime.settings, turnBytes: TURN_BYTES };
  return takeWhole({ ...runtime, settings }, leased(runtime, { deliveries: 9, ...run }));
}

const unexpected = () => expect.fail("it was performed");

describe("a turn that is full", () => {
  const goThrice = async (step: Steps) => {
    for (let i = 0; i < 3; i++) await step.waitForSignal("go");
    await step.run("after", unexpected);
  };

  test("takes what came first, and the run goes on at once with the rest", async () => {
    const decision = await turnOf(goThrice, { inbox: [signal(1), signal(2), signal(3)] });
    expect(decision?.consumed.map(({ id }) => id)).toEqual([1, 2]);
    expect(decision?.deliveries).toBe(-1);
  });

  test("is not cut when nothing is left", async () => {
    const decision = await turnOf(goThrice, { inbox: [signal(1), signal(2)] });
    expect(decision).toMatchObject({ status: "waiting", deliveries: 9, consumed: [{ id: 1 }, { id: 2 }] });
  });

  test("does not perform a step whose outcome is still in the inbox", async () => {
    const both = (step: Steps) => Promise.all(["a", "b", "c"].map((name) => step.run(name, unexpected)));
    const inbox = [branch(1, "a"), branch(2, "b"), branch(3, "c")];
    const decision = await turnOf(both, { inbox });
    expect(decision).toMatchObject({
      deliveries: -1,
      branches: [],
      consumed: [{ id: 1 }, { id: 2 }],
      entries: [{ key: "a" }, { key: "b" }],
    });
  });

  test("begins no branch for steps whose outcomes are still in the inbox", async () => {
    const all = (step: Steps) =>
      Promise.all(["a", "b", "c", "d", "new"].map((name) => step.run(name, unexpected)));
    const inbox = ["a", "b", "c", "d"].map((name, i) => branch(i + 1, name));
    const decision = await turnOf(all, { inbox });
    expect(decision?.branches.map(({ key }) => key)).toEqual(["new"]);
  });

  test("undoes nothing, and ends nothing, before it knows all that was done", async () => {
    const undone: string[] = [];
    const all = (step: Steps) =>
      Promise.all(
        ["a", "b", "c"].map((name) =>
          step.run(name, unexpected, { compensate: () => void undone.push(name) }),
        ),
      );
    const decision = await turnOf(all, {
      inbox: [branch(1, "a"), branch(2, "b"), branch(3, "c")],
      verdict: { status: "cancelled", failure: null },
    });
    expect(undone).toEqual([]);
    expect(decision).toMatchObject({ deliveries: -1, verdict: { status: "cancelled" }, status: "waiting" });
    expect(decision?.entries.map(({ key }) => key)).toEqual(["a", "b"]);
  });

  test("leaves instants to the next turn, too", async () => {
    const decision = await turnOf(async (step) => {
      for (let i = 0; i < 10; i++) await step.uuid();
    }, {});
    expect(decision).toMatchObject({ status: "ready", entries: { length: 1 } });
  });
});

describe("what a claim withheld", () => {
  const once = async (step: Steps) => step.waitForSignal("go");
  const announced = { payload: null, withheld: true };

  test("is read when the workflow takes it, and not before", async () => {
    const read: number[] = [];
    const decision = await turnOf(
      once,
      { inbox: [signal(1, announced), signal(2, announced)] },
      {
        readDelivery: async (_, id) => {
          read.push(id);
          return signal(id);
        },
      },
    );
    expect(read).toEqual([1]);
    expect(decision).toMatchObject({ status: "completed", output: { json: PAYLOAD } });
  });

  test("and is gone belongs to a turn that was lost: nothing is written", async () => {
    const inbox = [signal(1, announced)];
    expect(await turnOf(once, { inbox }, { readDelivery: async () => null })).toBeNull();
  });
});

import { expect, test } from "vitest";
import type { ClaimedSend, OutgoingEvent, SendOutcome } from "../../src/engine/event.ts";
import { deliverEvents } from "../../src/runtime/deliver-events.ts";
import { runtimeOf } from "./support.ts";

const event: OutgoingEvent = {
  tenant: "default",
  runId: "run-1",
  id: "run-1/tell",
  workflow: "test",
  type: "told",
  subject: null,
  data: undefined,
  emittedAt: 0,
};

/** Delivers one event whose attempt is the one given; the sink allows three. */
async function deliver(attempt: number) {
  const sent: string[] = [];
  const settled: SendOutcome[] = [];
  const sends: ClaimedSend[] = [{ tenant: "default", runId: "run-1", sink: "all", seq: 1, attempt, event }];
  const runtime = runtimeOf({
    store: {
      routeEvents: async () => 0,
      claimSends: async () => sends.splice(0),
      settleSends: async (outcomes) => void settled.push(...outcomes),
    },
  });
  const send = async ({ id }: OutgoingEvent) => void sent.push(id);
  const sinks = [{ sink: "all", types: ["*"], attempts: 3, send }];
  await deliverEvents({ ...runtime, sinks });
  return { sent, settled };
}

test("an event is sent as often as its sink allows", async () => {
  const { sent, settled } = await deliver(3);
  expect(sent).toEqual([event.id]);
  expect(settled).toMatchObject([{ status: "sent", error: null }]);
});

test("one whose every attempt was cut off is dead, and holds up nothing that comes after it", async () => {
  const { sent, settled } = await deliver(4);
  expect(sent).toEqual([]);
  expect(settled).toMatchObject([
    { status: "dead", retryInMs: null, error: expect.stringContaining("cut off") },
  ]);
});

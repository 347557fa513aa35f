import { describe, expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { RunRef } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { DAY, decision, HOUR, LEASE, MINUTE } from "../support/builders.ts";
import { claimBranch, forked, newBranch, newWait, parks } from "../support/family.ts";
import { receiversOf } from "../support/receivers.ts";

const RETENTION = { messageRetentionMs: 14 * DAY, eventRetentionMs: 7 * DAY };
const ROUTE = { sink: "all", types: ["*"] };

export function ticksSuite(bed: () => Bed): void {
  const nextDue = (...sinks: string[]) => bed().store.nextDue(sinks, RETENTION);

  /** Less than a minute has gone by since that span began. */
  async function expectDueIn(spanMs: number, ...sinks: string[]): Promise<void> {
    const dueInMs = await nextDue(...sinks);
    expect(dueInMs).toBeLessThanOrEqual(spanMs);
    expect(dueInMs).toBeGreaterThan(spanMs - MINUTE);
  }

  async function emit(): Promise<RunRef> {
    const run = await bed().startAndClaim();
    const event = { id: run.runId, type: "shipped", subject: null, data: null };
    const effects = [{ kind: "emit" as const, event }];
    await bed().store.commitTurns([decision(run, { status: "completed", effects })]);
    return run;
  }

  const publish = (id: string) =>
    bed().store.publish("default", { id, channel: "news", payload: encode(id, "x"), to: null });

  describe("what is due next", () => {
    test("is nothing where nothing lives", async () => {
      expect(await nextDue()).toBeNull();
      const run = await bed().startAndClaim();
      await bed().store.commitTurns([decision(run, { status: "completed" })]);
      await bed().start({ delayMs: DAY });
      const held = await bed().start();
      await bed().store.pauseRun(held);
      await expectDueIn(DAY);
    });

    test("is a run that is due, at once", async () => {
      await bed().start();
      expect(await nextDue()).toBe(0);
    });

    test("is the first of all sleepers, delayed starts and leases", async () => {
      await bed().start({ delayMs: 3 * HOUR });
      await expectDueIn(3 * HOUR);
      const sleeper = await bed().startAndClaim();
      await bed().store.commitTurns([parks(sleeper, { wakeInMs: 2 * HOUR })]);
      await expectDueIn(2 * HOUR);
      await bed().startAndClaim();
      await expectDueIn(LEASE);
      await bed().moveClock(LEASE);
      expect(await nextDue()).toBe(0);
    });

    test("is nothing of a run that waits without a time", async () => {
      const run = await bed().startAndClaim();
      await bed().store.commitTurns([parks(run, { waits: [newWait("signal", "paid")] })]);
      expect(await nextDue()).toBeNull();
    });

    test("is a branch that is due or leased, but of a run that is held", async () => {
      const run = await forked(bed(), ["a"], { branches: [newBranch("a", { due: { inMs: HOUR } })] });
      await expectDueIn(HOUR);
      await bed().moveClock(HOUR);
      expect(await nextDue()).toBe(0);
      await claimBranch(bed(), run, "a");
      await expectDueIn(LEASE);
      await bed().moveClock(LEASE + MINUTE);
      await bed().store.reclaimBranches(10, 5);
      await bed().moveClock(MINUTE);
      expect(await nextDue()).toBe(0);
      await bed().store.pauseRun(run);
      expect(await nextDue()).toBeNull();
    });

    test("is an event that goes nowhere yet, then its next try, then its end, each but at its own sinks", async () => {
      await emit();
      expect(await nextDue()).toBe(0);
      await bed().store.routeEvents([ROUTE], 10);
      expect(await nextDue("all")).toBe(0);
      expect(await nextDue("another")).toBeNull();
      const claimed = await bed().store.claimSends("all", 10, HOUR);
      await expectDueIn(HOUR, "all");
      const settle = (status: "pending" | "dead" | "sent", retryInMs: number | null, attempt = 1) =>
        bed().store.settleSends(
          claimed.map(({ event: _, ...ref }) => ({ ...ref, attempt, status, retryInMs, error: null })),
        );
      await settle("pending", 2 * HOUR);
      await expectDueIn(2 * HOUR, "all");
      await settle("sent", null);
      await expectDueIn(RETENTION.eventRetentionMs, "all");
    });

    test("is nothing of an event that is dead", async () => {
      await emit();
      await bed().store.routeEvents([ROUTE], 10);
      const [send] = await bed().store.claimSends("all", 10, HOUR);
      if (send === undefined) throw new Error("nothing was to be sent");
      const { event: _, ...ref } = send;
      await bed().store.settleSends([{ ...ref, status: "dead", retryInMs: null, error: "no" }]);
      expect(await nextDue("all")).toBeNull();
    });

    test("is the end of the oldest message that nobody has yet to read", async () => {
      await publish("first");
      await bed().moveClock(HOUR);
      await publish("second");
      await expectDueIn(RETENTION.messageRetentionMs - HOUR);
    });

    test("is nothing of a message that was brought and is not read", async () => {
      const { receiver, tell } = receiversOf(bed());
      const run = await receiver("work", "competing");
      await tell("work", "brought");
      await bed().store.pauseRun(run);
      expect(await nextDue()).toBeNull();
    });
  });

  describe("the cron's own note", () => {
    test("tells for how long the same mark was read", async () => {
      const { store, moveClock } = bed();
      expect(await store.recordTick("a")).toBe(0);
      await moveClock(HOUR);
      const ageMs = await store.recordTick("a");
      expect(ageMs).toBeGreaterThanOrEqual(HOUR);
      expect(ageMs).toBeLessThan(HOUR + MINUTE);
      expect(await store.recordTick("b")).toBe(0);
      expect(await store.recordTick("a")).toBe(0);
      expect(await store.recordTick(null)).toBe(0);
      await moveClock(HOUR);
      expect(await store.recordTick(null)).toBeGreaterThanOrEqual(HOUR);
    });

    test("tells until when the cron is idle, until it sweeps again", async () => {
      const { store, reads } = bed();
      await store.recordTick("a");
      expect((await reads.health()).idleUntil).toBeNull();
      await store.recordIdle(HOUR);
      const { now, idleUntil } = await reads.health();
      expect((idleUntil ?? 0) - now).toBeGreaterThan(HOUR - MINUTE);
      expect((idleUntil ?? 0) - now).toBeLessThanOrEqual(HOUR);
      await store.recordTick("a");
      expect((await reads.health()).idleUntil).toBeNull();
    });
  });
}

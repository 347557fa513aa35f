import { describe, expect, test } from "vitest";
import type { ClaimedSend, Route, SendOutcome } from "../../../src/engine/event.ts";
import type { ClaimedRun } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { DAY, decision, MINUTE } from "../support/builders.ts";

const ALL: Route = { sink: "all", types: ["*"] };

export function outboxSuite(bed: () => Bed): void {
  const claimed = (tenant?: string) => bed().startAndClaim({}, tenant);

  /** A turn of the run emits an event of each type, numbered; gives the run's next turn. */
  async function emit(run: ClaimedRun, ...types: string[]): Promise<ClaimedRun> {
    const emitted = await list({ run: run.runId });
    const effects = types.map((type, i) => {
      const n = emitted.length + i + 1;
      const event = { id: `${run.runId}/${n}`, type, subject: null, data: { json: n, meta: null } };
      return { kind: "emit" as const, event };
    });
    await bed().store.commitTurns([decision(run, { effects })]);
    return bed().claim(run);
  }

  const list = (filter = {}) => bed().reads.events("default", filter, 100, null);
  const sends = async () => (await list()).flatMap((event) => event.sends);
  const route = (...routes: Route[]) => bed().store.routeEvents(routes.length === 0 ? [ALL] : routes, 1_000);
  const claim = (sink = "all", limit = 100) => bed().store.claimSends(sink, limit, MINUTE);
  const numbers = (all: readonly ClaimedSend[]) => all.map(({ event }) => event.data);

  function settle(all: readonly ClaimedSend[], fields: Partial<SendOutcome> = {}): Promise<void> {
    return bed().store.settleSends(
      all.map(({ event: _, ...ref }) => ({
        ...ref,
        status: "sent",
        retryInMs: null,
        error: null,
        ...fields,
      })),
    );
  }
  const again = (all: readonly ClaimedSend[], retryInMs: number) =>
    settle(all, { status: "pending", retryInMs, error: "no" });

  describe("routing", () => {
    test("an event goes to every sink that wants its type, and once", async () => {
      await emit(
        await claimed(),
        "order.paid",
        "order.shipped",
        "invoice.paid",
        "orders",
        "order_paid",
        "ORDER.PAID",
      );
      const routes = [
        ALL,
        { sink: "one", types: ["order.paid"] },
        { sink: "two", types: ["order.*", "invoice.paid"] },
        { sink: "odd", types: ["order_*", "%.paid"] },
      ];
      expect(await route(...routes)).toBe(6);
      expect(await route(...routes)).toBe(0);
      const events = await list();
      const typesAt = (sink: string) =>
        events.flatMap(({ type, sends }) => (sends.some((one) => one.sink === sink) ? [type] : [])).reverse();
      expect(typesAt("all")).toEqual([
        ...["order.paid", "order.shipped", "invoice.paid", "orders", "order_paid", "ORDER.PAID"],
      ]);
      expect(typesAt("odd")).toEqual(["order_paid"]);
      expect(typesAt("one")).toEqual(["order.paid"]);
      expect(typesAt("two")).toEqual(["order.paid", "order.shipped", "invoice.paid"]);
    });

    test("a sink that is configured later gets nothing old", async () => {
      const run = await emit(await claimed(), "old");
      await bed().store.routeEvents([], 100);
      await emit(run, "new");
      await route();
      expect((await claim()).map(({ event }) => event.type)).toEqual(["new"]);
    });
  });

  describe("order", () => {
    test("the events of one turn are sent in the order in which they were emitted, one after the other", async () => {
      await emit(await claimed(), ...Array.from({ length: 20 }, () => "step"));
      await route();
      const order: unknown[] = [];
      for (let sent = await claim(); sent.length > 0; sent = await claim()) {
        expect(sent).toHaveLength(1);
        order.push(...numbers(sent));
        await settle(sent);
      }
      expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    });

    test("of several runs in one commit the events are listed run after run", async () => {
      const turns = [await claimed(), await claimed(), await claimed()];
      const decisions = turns.map((run, i) => {
        const event = { id: `event ${i}`, type: `of ${i}`, subject: null, data: null };
        return decision(run, { effects: [{ kind: "emit", event }] });
      });
      await bed().store.commitTurns(decisions.toReversed());
      expect((await list()).map(({ type }) => type)).toEqual(["of 2", "of 1", "of 0"]);
    });

    test("a later event waits until the earlier one is sent, however often that is tried again", async () => {
      await emit(await claimed(), "a", "b");
      await route();
      for (let attempt = 1; attempt <= 3; attempt++) {
        const first = await claim();
        expect(numbers(first)).toEqual([1]);
        expect(first[0]?.attempt).toBe(attempt);
        await again(first, 1_000);
        expect(await claim()).toEqual([]);
        await bed().moveClock(1_001);
      }
      await settle(await claim());
      expect(numbers(await claim())).toEqual([2]);
    });

    test("a dead event no longer holds up those after it", async () => {
      await emit(await claimed(), "a", "b");
      await route();
      await settle(await claim(), { status: "dead", error: "gone" });
      expect(numbers(await claim())).toEqual([2]);
    });

    test("runs and sinks do not wait for each other", async () => {
      await emit(await claimed(), "a");
      await emit(await claimed(), "b");
      await route(ALL, { sink: "other", types: ["a", "b"] });
      await again(await claim("all", 1), MINUTE);
      expect((await claim("all")).map(({ event }) => event.type)).toEqual(["b"]);
      expect((await claim("other")).map(({ event }) => event.type)).toEqual(["a", "b"]);
    });
  });

  describe("claims", () => {
    test("what is being sent is not sent by another at the same time, and comes again when that one is lost", async () => {
      await emit(await claimed(), "a");
      await route();
      const lost = await claim();
      expect(await claim()).toEqual([]);
      await bed().moveClock(MINUTE + 1);
      const found = await claim();
      expect(found).toMatchObject([{ attempt: 2 }]);
      // The first one was only slow. What it says now is about a try that nobody counts on any more.
      await settle(lost, { status: "dead", error: "late" });
      expect(await sends()).toMatchObject([{ sink: "all", status: "pending", attempts: 2, lastError: null }]);
      await settle(found);
      expect(await sends()).toMatchObject([{ status: "sent" }]);
    });
  });

  test("I2: a turn that has moved on emits nothing", async () => {
    const run = await claimed();
    await bed().store.cancelRun(run, false);
    const event = { id: "1", type: "a", subject: null, data: null };
    await bed().store.commitTurns([decision(run, { effects: [{ kind: "emit", event }] })]);
    expect(await list()).toEqual([]);
  });

  describe("what people do", () => {
    test("a dead event is sent again with all its tries", async () => {
      const run = await claimed();
      await emit(run, "a");
      await route();
      const id = `${run.runId}/1`;
      expect(await bed().store.redeliverEvent("default", id)).toBe("not_dead");
      await settle(await claim(), { status: "dead", error: "gone" });
      expect(await bed().store.redeliverEvent("somebody", id)).toBe("not_found");
      expect(await bed().store.redeliverEvent("default", id)).toBe("redelivered");
      expect(await claim()).toMatchObject([{ attempt: 1 }]);
    });

    test("lists are newest first, by pages, and filter by run and by what became of the event", async () => {
      const [one, two] = [await claimed(), await claimed()];
      await emit(one, "a");
      await emit(two, "b");
      await emit(await claimed("somebody"), "c");
      await route();
      await settle((await claim()).slice(0, 1), { status: "dead", error: "gone" });
      await emit(await claimed(), "d");
      const listed = async (filter = {}, limit = 10, before: number | null = null) =>
        (await bed().reads.events("default", filter, limit, before)).map(({ type }) => type);
      expect(await listed()).toEqual(["d", "b", "a"]);
      expect(await listed({ run: two.runId })).toEqual(["b"]);
      expect(await listed({ status: "dead" })).toEqual(["a"]);
      expect(await listed({ status: "pending" })).toEqual(["d", "b"]);
      expect(await listed({ status: "sent" })).toEqual([]);
      const [first] = await bed().reads.events("default", {}, 1, null);
      expect(await listed({}, 10, first?.seq)).toEqual(["b", "a"]);
      expect(await bed().reads.event("default", `${one.runId}/1`)).toMatchObject({
        type: "a",
        runId: one.runId,
        sends: [{ sink: "all", status: "dead", attempts: 1, lastError: "gone", nextAt: null, sentAt: null }],
      });
      expect(await bed().reads.event("somebody", `${one.runId}/1`)).toBeNull();
    });

    test("what was sent everywhere is forgotten once it is old; what is dead or on its way stays", async () => {
      for (let i = 0; i < 3; i++) await emit(await claimed(), "a");
      await route();
      const [sent, dead] = await claim("all", 2);
      await settle(sent === undefined ? [] : [sent]);
      await settle(dead === undefined ? [] : [dead], { status: "dead", error: "gone" });
      expect(await bed().store.forgetEvents(100, 7 * DAY)).toBe(0);
      await bed().moveClock(7 * DAY + 1);
      await emit(await claimed(), "new");
      expect(await bed().store.forgetEvents(100, 7 * DAY)).toBe(1);
      expect((await list()).map(({ type }) => type)).toEqual(["new", "a", "a"]);
      expect((await sends()).map(({ status }) => status).sort()).toEqual(["dead", "pending"]);
    });
  });
}

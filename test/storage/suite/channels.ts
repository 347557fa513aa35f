import { describe, expect, test } from "vitest";
import type { NewMessage } from "../../../src/engine/ports.ts";
import type { RunRef } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { DAY, decision, entry, HOUR, MINUTE, only, ref } from "../support/builders.ts";
import { MANY, message, receiversOf } from "../support/receivers.ts";

export function channelsSuite(bed: () => Bed): void {
  const channel = async (name: string) =>
    (await bed().reads.channels("default", 100, "")).find((each) => each.name === name);
  const publish = (name: string, payload: unknown, fields: Partial<NewMessage> = {}) =>
    bed().store.publish("default", message(name, payload, fields));
  const match = (name: string | null) =>
    bed().store.matchMessages(name === null ? null : "default", name, MANY);

  describe("broadcast", () => {
    test("every subscriber is brought every message, in their order", async () => {
      const { receiver, tell, readAll } = receiversOf(bed());
      const runs = [await receiver("news"), await receiver("news")];
      await tell("news", 1, 2, 3);
      for (const run of runs) expect(await readAll(run, "news")).toEqual([1, 2, 3]);
    });

    test("who subscribes late is brought later messages only", async () => {
      const { receiver, tell, readAll } = receiversOf(bed());
      const early = await receiver("news");
      await tell("news", 1);
      const late = await receiver("news");
      expect(await match("news")).toEqual([]);
      await tell("news", 2);
      expect(await readAll(early, "news")).toEqual([1, 2]);
      expect(await readAll(late, "news")).toEqual([2]);
    });

    test("subscribing again leaves the cursor where it is", async () => {
      const { subscriber, park, tell, readAll } = receiversOf(bed());
      const run = await subscriber("news");
      await tell("news", 1);
      await bed().store.subscribe(run, "news", "broadcast");
      await park(run, "news");
      await match("news");
      expect(await readAll(run, "news")).toEqual([1]);
    });

    test("two waits of one run are brought two messages, the first wait the first", async () => {
      const { subscriber, park, inbox } = receiversOf(bed());
      const run = await subscriber("news");
      const waits = ["receive", "receive#2"].map((key) => ({
        key,
        kind: "message" as const,
        name: "news",
        due: null,
      }));
      await park(run, "news", {}, { waits });
      await publish("news", "a");
      await publish("news", "b");
      await match("news");
      const { inbox: brought } = await bed().claim(run);
      expect(brought.map(({ name, payload }) => [name, payload?.json])).toEqual([
        ["receive", "a"],
        ["receive#2", "b"],
      ]);
      expect(inbox).toBeDefined();
    });

    test("a wait is brought one message, however often it is asked for", async () => {
      const { receiver, tell, inbox } = receiversOf(bed());
      const run = await receiver("news");
      await tell("news", 1, 2);
      await match(null);
      const [, { payload }] = await inbox(run);
      expect(payload?.json).toBe(1);
    });
  });

  describe("competing", () => {
    test("of 100 messages and 5 readers, each message is read once", async () => {
      const { receiver, read } = receiversOf(bed());
      const runs = await Promise.all(Array.from({ length: 5 }, () => receiver("work", "competing")));
      const numbers = Array.from({ length: 100 }, (_, i) => i);
      for (const number of numbers) await publish("work", number);
      await match("work");
      const got: unknown[] = [];
      for (let due: RunRef[] = runs; due.length > 0 && got.length < 200; ) {
        got.push(...(await Promise.all(due.map((run) => read(run, "work")))));
        const seen = await Promise.all(runs.map((run) => bed().see(run)));
        due = seen.filter(({ wakeAt }) => wakeAt !== null);
      }
      expect(got.sort((a, b) => Number(a) - Number(b))).toEqual(numbers);
    });

    test("who has waited longest is brought the oldest message", async () => {
      const { receiver, inbox } = receiversOf(bed());
      const [first, second, third] = [
        await receiver("work", "competing"),
        await receiver("work", "competing"),
        await receiver("work", "competing"),
      ];
      await publish("work", "old");
      await publish("work", "new");
      expect((await match("work")).map(({ runId }) => runId)).toEqual([first.runId, second.runId]);
      expect((await inbox(first))[1].payload?.json).toBe("old");
      expect((await inbox(second))[1].payload?.json).toBe("new");
      expect((await bed().see(third)).wakeAt).toBeNull();
    });

    test("a reader that is cancelled gives back what it has not read", async () => {
      const { receiver, tell, inbox, readAll } = receiversOf(bed());
      const first = await receiver("work", "competing");
      await tell("work", "a");
      const second = await receiver("work", "competing");
      expect((await inbox(first))[1].payload?.json).toBe("a");
      await bed().store.cancelRun(first, false);
      expect((await match(null)).map(ref)).toEqual([ref(second)]);
      expect(await readAll(second, "work")).toEqual(["a"]);
    });

    test("a run that died and was revived keeps what it was brought", async () => {
      const { receiver, tell, inbox } = receiversOf(bed());
      const run = await receiver("work", "competing");
      await tell("work", "a");
      const [turn] = await inbox(run);
      await bed().store.commitTurns([decision(turn, { status: "dead" })]);
      const other = await receiver("work", "competing");
      expect(await match(null)).toEqual([]);
      await bed().store.reviveRun(run);
      expect((await inbox(run))[1].payload?.json).toBe("a");
      expect((await bed().see(other)).wakeAt).toBeNull();
    });

    test("what was published before anybody subscribed is there for the first", async () => {
      const { subscriber, receiver, readAll } = receiversOf(bed());
      await subscriber("work", "competing");
      await publish("work", "early");
      const run = await receiver("work", "competing");
      await match("work");
      expect(await readAll(run, "work")).toEqual(["early"]);
    });
  });

  describe("direct", () => {
    test("a message goes to the run that it names and to no other", async () => {
      const { receiver, readAll } = receiversOf(bed());
      const [one, other] = [await receiver("replies", "direct"), await receiver("replies", "direct")];
      await publish("replies", 1, { to: other.runId });
      await publish("replies", 2, { to: other.runId });
      expect((await match("replies")).map(ref)).toEqual([ref(other)]);
      expect(await readAll(other, "replies")).toEqual([1, 2]);
      expect((await bed().see(one)).wakeAt).toBeNull();
    });

    test("a message without a receiver is refused, and one with a receiver on another channel", async () => {
      const { subscriber } = receiversOf(bed());
      const run = await subscriber("replies", "direct");
      await subscriber("news", "broadcast");
      await expect(publish("replies", 1)).rejects.toMatchObject({
        code: "channel_mode_conflict",
        retryable: false,
        message: 'Channel "replies" is direct, so every message must name the run that gets it.',
      });
      await expect(publish("news", 1, { to: run.runId })).rejects.toMatchObject({
        code: "channel_mode_conflict",
        message: 'Channel "news" is broadcast, so no message can name a run.',
      });
      expect(await channel("replies")).toMatchObject({ messages: 0 });
      expect(await channel("news")).toMatchObject({ messages: 0 });
    });

    test("the first message makes the channel, with the mode that it must have", async () => {
      await publish("replies", 1, { to: "somebody" });
      await publish("news", 1);
      expect(await channel("replies")).toMatchObject({ mode: "direct", messages: 1 });
      expect(await channel("news")).toMatchObject({ mode: null, messages: 1 });
    });

    test("what is published before anybody listens waits for the first competing subscriber", async () => {
      const { receiver, inbox } = receiversOf(bed());
      await publish("work", 1);
      await publish("work", 2);
      const run = await receiver("work", "competing");
      await match("work");
      expect((await inbox(run)).at(-1)).toMatchObject({ payload: { json: 1 } });
      expect(await channel("work")).toMatchObject({ mode: "competing" });
      await expect(publish("work", 3, { to: run.runId })).rejects.toMatchObject({
        code: "channel_mode_conflict",
      });
    });

    test("a message that names its receiver makes a channel direct that had no mode yet", async () => {
      await publish("replies", 1);
      await publish("replies", 2, { to: "somebody" });
      expect(await channel("replies")).toMatchObject({ mode: "direct" });
      await expect(publish("replies", 3)).rejects.toMatchObject({ code: "channel_mode_conflict" });
    });
  });

  describe("modes and subscriptions", () => {
    test("a channel keeps the mode of its first subscriber", async () => {
      const { subscriber } = receiversOf(bed());
      await subscriber("work", "competing");
      await expect(subscriber("work", "broadcast")).rejects.toMatchObject({
        code: "channel_mode_conflict",
        retryable: false,
        message:
          'Channel "work" is competing, so it cannot be used as broadcast: a channel keeps the mode of its first subscriber.',
      });
      expect(await channel("work")).toMatchObject({ mode: "competing", subscribers: 1 });
    });

    test("another tenant's channel of that name is another channel", async () => {
      const { subscriber, receiver } = receiversOf(bed());
      await subscriber("work", "competing", "other");
      const run = await receiver("work", "broadcast");
      await bed().store.publish("other", message("work", "theirs"));
      expect(await match(null)).toEqual([]);
      expect((await bed().see(run)).wakeAt).toBeNull();
    });

    test("a run that is over subscribes to nothing and makes no channel", async () => {
      const run = await bed().startAndClaim();
      await bed().store.commitTurns([decision(run, { status: "completed" })]);
      await bed().store.subscribe(run, "news", "broadcast");
      expect(await channel("news")).toBeUndefined();
    });

    test("the end of a run takes its subscriptions away", async () => {
      const { subscriber } = receiversOf(bed());
      const run = await subscriber("news");
      await bed().store.commitTurns([decision(run, { status: "completed" })]);
      expect(await channel("news")).toMatchObject({ subscribers: 0 });
    });

    test("who has unsubscribed is brought nothing more, and its wait fails by name", async () => {
      const { receiver, tell, inbox } = receiversOf(bed());
      const run = await receiver("news");
      await bed().store.unsubscribe(run, "news");
      await bed().store.unsubscribe(run, "news");
      await tell("news", 1);
      const [, { outcome, payload, failure }] = await inbox(run);
      expect([outcome, payload, failure?.code]).toEqual(["failed", null, "not_subscribed"]);
      expect(await channel("news")).toMatchObject({ subscribers: 0 });
    });

    test("a wait on a channel that the run never subscribed to fails by name", async () => {
      const { park, inbox } = receiversOf(bed());
      const run = await bed().startAndClaim();
      await park(run, "nowhere");
      expect((await match("nowhere")).map(ref)).toEqual([ref(run)]);
      const [, { name, outcome, failure }] = await inbox(run);
      expect([name, outcome, failure]).toEqual([
        "receive",
        "failed",
        {
          code: "not_subscribed",
          name: "NotSubscribed",
          message: "The run is not subscribed to that channel. Call step.subscribe before step.receive.",
        },
      ]);
    });
  });

  test("what several waits of one run are brought at once arrives in the order of the waits", async () => {
    const { subscriber, park } = receiversOf(bed());
    const run = await subscriber("news");
    const waits = [
      ["receive#3", "nowhere"],
      ["receive#2", "news"],
      ["receive", "nowhere"],
    ].map(([key = "", name = ""]) => ({ key, kind: "message" as const, name, due: null }));
    await publish("news", "a");
    await park(run, "news", {}, { waits });
    await bed().store.matchMessages("default", null, MANY);
    expect((await bed().claim(run)).inbox.map(({ name, outcome }) => [name, outcome])).toEqual([
      ["receive", "failed"],
      ["receive#2", "completed"],
      ["receive#3", "failed"],
    ]);
  });

  describe("messages", () => {
    test("the same id again is accepted and changes nothing", async () => {
      const { receiver, readAll } = receiversOf(bed());
      const run = await receiver("news");
      await publish("news", "first", { id: "once" });
      await publish("news", "second", { id: "once" });
      await match("news");
      expect(await readAll(run, "news")).toEqual(["first"]);
      await publish("news", "third", { id: "once" });
      expect(await match("news")).toEqual([]);
    });

    test("one that was published between the subscription and the wait is found", async () => {
      const { subscriber, park, readAll } = receiversOf(bed());
      const run = await subscriber("news");
      await publish("news", "meanwhile");
      expect(await match("news")).toEqual([]);
      await park(run, "news");
      expect((await match("news")).map(ref)).toEqual([ref(run)]);
      expect(await readAll(run, "news")).toEqual(["meanwhile"]);
    });

    test("a wait whose time is over is brought nothing, and the message stays for the next", async () => {
      const { receiver, park, readAll } = receiversOf(bed());
      const run = await receiver("work", "competing", { inMs: MINUTE });
      await bed().moveClock(MINUTE);
      await publish("work", "late");
      expect(await match("work")).toEqual([]);
      const turn = await bed().claim(run);
      expect(turn.inbox).toEqual([]);
      const entries = [entry(1, { kind: "message", key: "receive", outcome: "timed_out", output: null })];
      await park(turn, "work", { key: "receive#2" }, { entries, endedWaits: ["receive"] });
      await match("work");
      expect(await readAll(run, "work")).toEqual(["late"]);
    });

    test("I4: one that is brought while a turn is under way leaves the run ready", async () => {
      const { receiver, tell, inbox, park } = receiversOf(bed());
      const run = await receiver("news");
      await bed().deliver(run);
      const turn = await bed().claim(run);
      await tell("news", "now");
      await park(turn, "news", {}, { waits: [] });
      expect(await bed().see(run)).toMatchObject({ status: "ready" });
      expect((await inbox(run))[1].payload?.json).toBe("now");
    });

    test("a paused run is brought its message and is not woken", async () => {
      const { receiver, tell, inbox } = receiversOf(bed());
      const run = await receiver("news");
      await bed().store.pauseRun(run);
      await tell("news", "kept");
      expect(await bed().see(run)).toMatchObject({ status: "paused", wakeAt: null });
      await bed().store.resumeRun(run);
      expect((await inbox(run))[1].payload?.json).toBe("kept");
    });

    test("a run that undoes what it did is brought nothing", async () => {
      const { receiver, tell } = receiversOf(bed());
      const run = await receiver("work", "competing");
      await bed().store.cancelRun(run, true);
      await tell("work", "a");
      expect((await bed().claim(run)).inbox).toEqual([]);
      expect(await channel("work")).toMatchObject({ messages: 1 });
    });

    test("at most so many runs are looked after at once, the longest-waiting first", async () => {
      const { receiver } = receiversOf(bed());
      const runs = [await receiver("news"), await receiver("news"), await receiver("news")];
      await publish("news", 1);
      const brought = [
        await bed().store.matchMessages("default", "news", 2),
        await bed().store.matchMessages(null, null, 2),
        await bed().store.matchMessages(null, null, 2),
      ];
      expect(brought.map((due) => due.map(ref))).toEqual([
        runs.slice(0, 2).map(ref),
        runs.slice(2).map(ref),
        [],
      ]);
    });

    test("any value arrives as it was", async () => {
      const { receiver, inbox } = receiversOf(bed());
      for (const payload of [null, undefined, { at: new Date(7) }, "ü\n", [1, [2]]]) {
        const run = await receiver("values");
        const sent = message("values", payload);
        await bed().store.publish("default", sent);
        await match("values");
        expect((await inbox(run))[1].payload).toEqual(sent.payload);
        await bed().store.cancelRun(run, false);
      }
    });
  });

  describe("deleteOldMessages", () => {
    const RETENTION = 14 * DAY;
    const forget = (limit = MANY) => bed().store.deleteOldMessages(RETENTION, limit);

    test("old messages go, at most so many at once, and new ones stay", async () => {
      await Promise.all([1, 2, 3].map((n) => publish("news", n)));
      await bed().moveClock(RETENTION - HOUR);
      await publish("news", "new");
      expect(await forget()).toBe(0);
      await bed().moveClock(2 * HOUR);
      expect([await forget(2), await forget(2), await forget(2)]).toEqual([2, 1, 0]);
      expect(await channel("news")).toMatchObject({ messages: 1 });
    });

    test("one that was brought to a run and is not read stays, and can be given back", async () => {
      const { receiver, tell, readAll } = receiversOf(bed());
      const run = await receiver("work", "competing");
      await tell("work", "brought", "waiting");
      await bed().moveClock(RETENTION + HOUR);
      expect(await forget()).toBe(1);
      const other = await receiver("work", "competing");
      await bed().store.cancelRun(run, false);
      await match(null);
      expect(await readAll(other, "work")).toEqual(["brought"]);
    });

    test("the cursor of a subscriber stays before what comes after a clean-up", async () => {
      const { receiver, tell, readAll } = receiversOf(bed());
      const run = await receiver("news");
      await publish("news", "old");
      await bed().moveClock(RETENTION + HOUR);
      await forget();
      const late = await receiver("news");
      await tell("news", "new");
      expect(await readAll(run, "news")).toEqual(["new"]);
      expect(await readAll(late, "news")).toEqual(["new"]);
    });
  });

  describe("the list of channels", () => {
    test("counts subscribers, live runs that wait, and messages that nobody has", async () => {
      const { subscriber, receiver, tell } = receiversOf(bed());
      await subscriber("work", "competing");
      await receiver("work", "competing");
      await tell("work", 1, 2, 3);
      expect(await bed().reads.channels("default", 10, "")).toEqual([
        { name: "work", mode: "competing", subscribers: 2, waiting: 1, messages: 2 },
      ]);
    });

    test("goes by name, page by page, and shows no other tenant's", async () => {
      for (const name of ["c", "a", "ü", "b"]) await publish(name, 1);
      await bed().store.publish("other", message("d", 1));
      const page = async (limit: number, after: string) =>
        (await bed().reads.channels("default", limit, after)).map(({ name }) => name);
      expect(await page(2, "")).toEqual(["a", "b"]);
      expect(await page(2, "b")).toEqual(["c", "ü"]);
      expect(only(await page(2, "c"))).toBe("ü");
    });
  });
}

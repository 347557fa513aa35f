/** Publishing, subscribing and bringing, interleaved for real: one session holds a row, the other runs into it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matchMessages } from "../../src/storage/match-messages.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { useBed } from "./store-suite.ts";
import { postgresStore } from "./support/bed.ts";
import { only, ref } from "./support/builders.ts";
import { MANY, message, receiversOf } from "./support/receivers.ts";
import { openSession, type Session, whileHeld } from "./support/sessions.ts";

let database: TestDatabase;
/** Fails when it has to wait. */
let session: Session;
const bed = useBed(async () => {
  database = await createDatabase();
  return postgresStore(database);
});
beforeAll(async () => {
  session = await openSession(database.url, "set lock_timeout = '2s'");
});
afterAll(() => session.end());

/** Publishes and has not committed yet. */
const PUBLISHING = {
  text: `with h as (select h.tenant, h.name from pawl.channels h where h.name = 'news' for update)
    insert into pawl.messages (tenant, channel, dedupe_id, payload, published_at)
    select h.tenant, h.name, 'under way', '"under way"', pawl.clock() from h`,
  params: [],
};
const hold = (...ids: string[]) => ({
  text: "select from pawl.runs where id = any ($1) order by id for update",
  params: [ids],
});
const publish = (channel: string, payload: unknown) =>
  bed().store.publish("default", message(channel, payload));
const match = (channel: string) => bed().store.matchMessages("default", channel, MANY);

describe("a message that is being published", () => {
  test("is passed by no cursor: who publishes next waits", async () => {
    const { receiver, readAll } = receiversOf(bed());
    const run = await receiver("news");
    await whileHeld(database, PUBLISHING, [() => publish("news", "next")]);
    await match("news");
    expect(await readAll(run, "news")).toEqual(["under way", "next"]);
  });

  test("is before the cursor of who subscribes meanwhile", async () => {
    const { receiver, subscriber, park, readAll } = receiversOf(bed());
    await receiver("news");
    const late = await bed().startAndClaim();
    await whileHeld(database, PUBLISHING, [() => bed().store.subscribe(late, "news", "broadcast")]);
    await park(late, "news");
    await publish("news", "later");
    await match("news");
    expect(await readAll(late, "news")).toEqual(["later"]);
    expect(subscriber).toBeDefined();
  });
});

describe("who brings messages at the same time", () => {
  test("brings a wait one message, though both found it without one", async () => {
    const { receiver, inbox } = receiversOf(bed());
    const run = await receiver("news");
    await publish("news", 1);
    await publish("news", 2);
    await whileHeld(database, hold(run.runId), [() => match("news"), () => match("news")]);
    expect((await inbox(run))[1].payload?.json).toBe(1);
  });

  test("brings each of two competing messages to a run of its own", async () => {
    const { receiver, inbox } = receiversOf(bed());
    const runs = [await receiver("work", "competing"), await receiver("work", "competing")];
    await publish("work", 1);
    await publish("work", 2);
    await whileHeld(database, hold(...runs.map(({ runId }) => runId)), [
      () => match("work"),
      () => match("work"),
    ]);
    const brought = await Promise.all(runs.map(async (run) => (await inbox(run))[1].payload?.json));
    expect(brought).toEqual([1, 2]);
  });

  test("passes over a message that somebody else is just taking", async () => {
    const { receiver, inbox } = receiversOf(bed());
    const run = await receiver("work", "competing");
    await publish("work", "taken");
    await publish("work", "free");
    const taken = {
      text: "select from pawl.messages where payload = '\"taken\"' for update",
      params: [],
    };
    const holder = await openSession(database.url);
    await holder.query("begin");
    await holder.query(taken.text);
    const impatient = matchMessages(session.db, "default", "work", MANY);
    expect((await impatient).map(ref)).toEqual([ref(run)]);
    await holder.query("rollback");
    await holder.end();
    expect((await inbox(run))[1].payload?.json).toBe("free");
  });

  test("brings nothing to a run that was cancelled while it waited for its row", async () => {
    const { receiver } = receiversOf(bed());
    const [run, next] = [await receiver("work", "competing"), await receiver("work", "competing")];
    await publish("work", 1);
    const cancelled = {
      text: "update pawl.runs set status = 'cancelled', finished_at = pawl.clock() where id = $1",
      params: [run.runId],
    };
    await whileHeld(database, cancelled, [() => match("work")]);
    await bed().store.cancelRun(run, false);
    await database.rows("delete from pawl.waits where run_id = $1", [run.runId]);
    expect((await match("work")).map(ref)).toEqual([ref(next)]);
  });
});

test("I4: who subscribes waits for the run's end and then does nothing", async () => {
  const run = await bed().startAndClaim();
  const ending = {
    text: "update pawl.runs set status = 'completed', finished_at = pawl.clock(), lease_expires_at = null where id = $1",
    params: [run.runId],
  };
  await whileHeld(database, ending, [() => bed().store.subscribe(run, "news", "broadcast")]);
  expect(await database.rows("select from pawl.subscriptions")).toEqual([]);
});

test("a clean-up passes over a message that is just being brought, and keeps it after", async () => {
  const { receiver, inbox } = receiversOf(bed());
  const run = await receiver("work", "competing");
  await publish("work", "old");
  await bed().moveClock(1_000);
  const holder = await openSession(database.url);
  await holder.query("begin");
  await holder.query("select from pawl.messages for update");
  expect(await bed().store.deleteOldMessages(0, MANY)).toBe(0);
  await holder.query("rollback");
  await holder.end();
  await match("work");
  expect(await bed().store.deleteOldMessages(0, MANY)).toBe(0);
  expect(only([(await inbox(run))[1]]).payload?.json).toBe("old");
});

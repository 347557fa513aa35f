/**
 * The same verbs over every way to Postgres: TCP, Neon's HTTP, which production uses, and Neon's WebSocket, which
 * transactions use. What comes back must not depend on how a driver reads a type.
 */
import { Client } from "@neondatabase/serverless";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Db } from "../../src/storage/db.ts";
import { createReads } from "../../src/storage/reads.ts";
import { createStore } from "../../src/storage/store.ts";
import type { Act, Side } from "../model/commands/choices.ts";
import { Commands } from "../model/commands.ts";
import { comparable } from "../model/comparable.ts";
import { Coverage } from "../model/coverage.ts";
import { standing, standingDatabase } from "../model/standing.ts";
import type { TestDatabase } from "../support/database.ts";
import { postgresStore, type StoreUnderTest } from "./support/bed.ts";
import { openSession } from "./support/sessions.ts";

const COMMANDS = 150;

interface Transport {
  readonly name: string;
  readonly database: TestDatabase;
  readonly side: Side;
  close(): Promise<void>;
}

let transports: Transport[];

beforeAll(async () => {
  transports = [await overTcp(), await overHttp(), await overWebSocket()];
});
afterAll(async () => {
  for (const transport of transports ?? []) await transport.close();
});

async function overHttp(): Promise<Transport> {
  const database = await standingDatabase();
  return transportOf("HTTP", database, database.db, async () => {});
}

async function overTcp(): Promise<Transport> {
  const database = await standingDatabase();
  const session = await openSession(database.url);
  return transportOf("TCP", database, session.db, () => session.end());
}

async function overWebSocket(): Promise<Transport> {
  const database = await standingDatabase();
  const client = new Client({ connectionString: database.url });
  client.neonConfig.wsProxy = (host, port) => `${database.gateway}/v2?address=${host}:${port}`;
  client.neonConfig.useSecureWebSocket = false;
  client.neonConfig.pipelineConnect = false;
  await client.connect();
  const execute: Db["execute"] = async (statements) => {
    await client.query("begin");
    try {
      const answers = [];
      for (const { text, params } of statements) answers.push((await client.query(text, [...params])).rows);
      await client.query("commit");
      return answers;
    } catch (error) {
      await client.query("rollback");
      throw error;
    }
  };
  return transportOf("WebSocket", database, { execute }, () => client.end());
}

async function transportOf(
  name: string,
  database: TestDatabase,
  db: Db,
  close: () => Promise<unknown>,
): Promise<Transport> {
  const still = standing(await postgresStore(database), database);
  const under: StoreUnderTest = {
    ...still,
    async clear() {
      await still.clear();
      await database.rows("truncate pawl.outbox_sends restart identity");
    },
    store: createStore(db),
    reads: createReads(db),
  };
  return {
    name,
    database,
    side: { under, runs: [], branches: [], sends: [] },
    async close() {
      await close();
      await database.drop();
    },
  };
}

async function answerOf(act: Act, side: Side): Promise<unknown> {
  try {
    return comparable(await act(side));
  } catch (error) {
    return { refused: (error as { code?: string }).code };
  }
}

/** What reads give of all runs, and all rows as they stand. */
async function snapshotOf({ side: { under } }: Transport): Promise<unknown> {
  const rows = await under.everything();
  const seen: unknown[] = [];
  for (const { tenant, id } of rows.runs ?? []) {
    const ref = { tenant: String(tenant), runId: String(id) };
    const { reads } = under;
    seen.push(await reads.run(ref), await reads.journal(ref, 1_000, 0), await reads.underWay(ref));
  }
  return { seen, rows, stuck: await under.stuckRuns() };
}

test.each([1, 2, 3])(
  "the same verbs give the same answers and leave the same rows over each of them: seed %i (C18)",
  async (seed) => {
    for (const { side } of transports) {
      await side.under.clear();
      for (const held of [side.runs, side.branches, side.sends]) held.splice(0);
    }
    const [first, ...others] = transports as [Transport, Transport, Transport];
    const commands = new Commands(seed);
    const coverage = new Coverage();
    const watched: Side = { ...first.side, under: coverage.over(first.side.under) };
    for (let number = 0; number < COMMANDS; number++) {
      const act = commands.next(number, watched, await watched.under.everything());
      const expected = await answerOf(act, watched);
      for (const { name: over, side } of others) {
        expect({ over, answer: await answerOf(act, side) }).toEqual({ over, answer: expected });
      }
      for (const { side } of transports) await side.under.moveClock(1);
    }
    const snapshot = await snapshotOf(first);
    for (const transport of others) expect(await snapshotOf(transport)).toEqual(snapshot);
    expect(coverage.answers.size).toBeGreaterThan(40);
  },
);

import { neon, neonConfig, Pool } from "@neondatabase/serverless";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningGateway, startGateway } from "../../scripts/gateway.ts";
import { type ThrowawayPostgres, throwawayPostgres } from "../support/postgres.ts";

let database: ThrowawayPostgres;
let gateway: RunningGateway;
let sql: ReturnType<typeof neon<false, false>>;

beforeAll(async () => {
  database = await throwawayPostgres();
  gateway = await startGateway();
  neonConfig.fetchEndpoint = `http://${gateway.host}/sql`;
  neonConfig.wsProxy = (host, port) => `${gateway.host}/v2?address=${host}:${port}`;
  neonConfig.useSecureWebSocket = false;
  neonConfig.pipelineConnect = false;
  sql = neon(database.postgres.url);
}, 60_000);

afterAll(async () => {
  await gateway?.stop();
  await database?.remove();
});

test("a tagged query gives every type as the driver knows it", async () => {
  const [row] = await sql`
    select ${41}::int + 1 as number, 9007199254740993::int8 as big, 1.10::numeric as exact,
      '{"a":[1]}'::jsonb as json, array['x','y'] as list, ${null}::text as nothing,
      '2026-01-02T03:04:05Z'::timestamptz as at, '\\x00ff'::bytea as bytes, true as yes`;
  expect(row).toEqual({
    number: 42,
    big: "9007199254740993",
    exact: "1.10",
    json: { a: [1] },
    list: ["x", "y"],
    nothing: null,
    at: new Date("2026-01-02T03:04:05Z"),
    bytes: Buffer.from([0, 255]),
    yes: true,
  });
});

test("query() with full results has fields, command and row count", async () => {
  const result = await sql.query("select $1::text as word", ["pawl"], { fullResults: true });
  expect(result).toMatchObject({ command: "SELECT", rowCount: 1, rows: [{ word: "pawl" }] });
  expect(result.fields[0]).toMatchObject({ name: "word", dataTypeID: 25 });
});

test("a batch is one transaction with the isolation level it asked for", async () => {
  const [settings, first, second] = await sql.transaction(
    [
      sql`select current_setting('transaction_isolation') as level, current_setting('transaction_read_only') as only`,
      sql`select txid_current_snapshot()::text as id`,
      sql`select txid_current_snapshot()::text as id`,
    ],
    { isolationLevel: "Serializable", readOnly: true, deferrable: true },
  );
  expect(settings).toEqual([{ level: "serializable", only: "on" }]);
  expect(first).toEqual(second);
});

test("a batch that fails changes nothing and tells the first error", async () => {
  await expect(
    sql.transaction([sql`create table half (id int)`, sql`select 1 / 0`, sql`select * from half`]),
  ).rejects.toMatchObject({ name: "NeonDbError", code: "22012" });
  expect(await sql`select to_regclass('half') as half`).toEqual([{ half: null }]);
});

test("a failure at commit reaches the driver", async () => {
  await sql`create table pair (id int unique deferrable initially deferred)`;
  await expect(
    sql.transaction([sql`insert into pair values (1)`, sql`insert into pair values (1)`]),
  ).rejects.toMatchObject({ code: "23505", constraint: "pair_id_key" });
  expect(await sql`select * from pair`).toEqual([]);
});

test("Postgres' own fields come with its errors", async () => {
  await expect(sql`select * from nowhere`).rejects.toMatchObject({
    code: "42P01",
    message: 'relation "nowhere" does not exist',
    position: "15",
    severity: "ERROR",
  });
});

test("one query holds one statement, as in production", async () => {
  await expect(sql.query("select 1; select 2")).rejects.toMatchObject({ code: "42601" });
});

test("a transaction that a query left open does not reach the next query", async () => {
  await sql.query("begin read only");
  await expect(sql`create temporary table t (id int)`).resolves.toEqual([]);
});

test("a wrong password is refused with its code", async () => {
  const wrong = neon(database.postgres.url.replace(/:[^:@]+@/, ":wrong@"));
  await expect(wrong`select 1`).rejects.toMatchObject({ code: "28P01" });
});

test("a pool over WebSocket holds transactions open side by side", async () => {
  await sql`create table job as select generate_series(1, 2) as id`;
  const pool = new Pool({ connectionString: database.postgres.url });
  const clients = await Promise.all([pool.connect(), pool.connect()]);
  const taken: unknown[] = [];
  for (const client of clients) {
    await client.query("begin");
    const { rows } = await client.query("select id from job limit 1 for update skip locked");
    taken.push(rows[0]?.id);
  }
  for (const client of clients) await client.query("commit");
  for (const client of clients) client.release();
  await pool.end();
  expect(taken.sort()).toEqual([1, 2]);
});

test("while Postgres is down queries fail as on Neon, and go on when it is back", async () => {
  const interrupted = expect(sql`select pg_sleep(60)`).rejects.toMatchObject({
    name: "NeonDbError",
    code: "",
  });
  await expect
    .poll(() => sql`select from pg_stat_activity where query like '%pg_sleep(60)%'`)
    .toHaveLength(2);
  await database.postgres.stop("immediate");
  await interrupted;
  await expect(sql`select 1`).rejects.toThrow(/HTTP status 500.*ECONNREFUSED/);
  const pool = new Pool({ connectionString: database.postgres.url });
  pool.on("error", () => {});
  await expect(pool.query("select 1")).rejects.toBeDefined();
  await database.postgres.restart();
  expect(await sql`select 1 as back`).toEqual([{ back: 1 }]);
  expect((await pool.query("select 1 as back")).rows).toEqual([{ back: 1 }]);
  await pool.end();
});

/** How long a question or a verb takes, and how Postgres finds its rows. Whatever it writes is rolled back. */
import type pg from "pg";
import type { Db, Row } from "../../src/storage/db.ts";

export interface Workload {
  readonly name: string;
  /** What must be so before; it is not measured. */
  prepare?(db: Db): Promise<unknown>;
  /** `prepared` is what `prepare` gave. */
  run(db: Db, prepared: never): Promise<unknown>;
  /** Why it may read a whole table, or take long. */
  readonly excused?: string;
}

export interface Measured {
  readonly name: string;
  readonly medianMs: number;
  readonly p95Ms: number;
  /** The nodes that find rows, such as `Index Scan runs_parked`. */
  readonly scans: readonly string[];
  /** Large tables that the plan reads as a whole. */
  readonly wholeTables: readonly string[];
}

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly Plans?: readonly PlanNode[];
}

const ROUNDS = 50;
/** What is slow is known to be slow after fewer. */
const PATIENCE_MS = 3_000;
const LARGE_ROWS = 10_000;

export async function measure(client: pg.Client, workload: Workload): Promise<Measured> {
  const times: number[] = [];
  const until = Date.now() + PATIENCE_MS;
  while (times.length < ROUNDS && (times.length < 3 || Date.now() < until)) {
    await inTransaction(client, workload, async (run) => {
      const begun = performance.now();
      await run(plainDb(client));
      times.push(performance.now() - begun);
    });
  }
  times.sort((a, b) => a - b);
  const nodes: PlanNode[] = [];
  await inTransaction(client, workload, (run) => run(explainingDb(client, nodes)));
  const large = await largeTables(client);
  const scans = nodes.flatMap((node) => {
    const found = node["Index Name"] ?? node["Relation Name"];
    return found === undefined || node["Node Type"] === "ModifyTable"
      ? []
      : [`${node["Node Type"]} ${found}`];
  });
  const whole = nodes.filter((node) => node["Node Type"] === "Seq Scan").map((node) => node["Relation Name"]);
  return {
    name: workload.name,
    medianMs: times[Math.floor(times.length * 0.5)] ?? 0,
    p95Ms: times[Math.floor(times.length * 0.95)] ?? 0,
    scans: [...new Set(scans)],
    wholeTables: [...new Set(whole)].filter((name) => name !== undefined && large.has(name)) as string[],
  };
}

async function inTransaction(
  client: pg.Client,
  { prepare, run }: Workload,
  work: (run: (db: Db) => Promise<unknown>) => Promise<unknown>,
): Promise<void> {
  await client.query("begin");
  try {
    const prepared = await prepare?.(plainDb(client));
    await work((db) => run(db, prepared as never));
  } finally {
    await client.query("rollback");
  }
}

function plainDb(client: pg.Client): Db {
  return {
    async execute(statements) {
      const answers: Row[][] = [];
      for (const { text, params } of statements) answers.push((await client.query(text, [...params])).rows);
      return answers;
    },
  };
}

/** Notes the plan of every statement before it runs: a later one may depend on what an earlier one wrote. */
function explainingDb(client: pg.Client, nodes: PlanNode[]): Db {
  return {
    async execute(statements) {
      const answers: Row[][] = [];
      for (const { text, params } of statements) {
        const { rows } = await client.query(`explain (format json) ${text}`, [...params]);
        for (const { Plan } of rows[0]["QUERY PLAN"]) nodes.push(...flatten(Plan));
        answers.push((await client.query(text, [...params])).rows);
      }
      return answers;
    },
  };
}

function flatten(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}

async function largeTables(client: pg.Client): Promise<Set<string>> {
  const { rows } = await client.query(
    "select relname from pg_class where relnamespace = 'pawl'::regnamespace and relkind = 'r' and reltuples > $1",
    [LARGE_ROWS],
  );
  return new Set(rows.map(({ relname }) => relname));
}

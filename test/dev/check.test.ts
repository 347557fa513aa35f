import { execFile } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CheckedRun } from "../../scripts/check/checker.ts";
import { readOnly } from "../../scripts/check/live-runs.ts";
import { type CheckReport, checkRuns } from "../../scripts/check.ts";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { createLiveApp, type LiveApp } from "../http/live.ts";
import { throwawayFolder } from "../support/postgres.ts";

/** The workflows as they are deployed, in which the runs below began. */
const DEPLOYED = [
  defineWorkflow({ name: "steps" }, async ({ step }) => {
    await step.run("first", () => 1);
    await step.waitForSignal("go");
    await step.run("second", () => 2);
  }),
  defineWorkflow({ name: "nap" }, async ({ step }) => {
    await step.sleep("nap", "1 day");
  }),
  defineWorkflow({ name: "wide" }, async ({ step }) => {
    await Promise.all([step.run("left", () => 1), step.run("right", () => 2), step.waitForSignal("go")]);
  }),
  defineWorkflow({ name: "undo" }, async ({ step }) => {
    await step.run("book", () => 1, { compensate: () => {} });
    await step.waitForSignal("go");
  }),
];

let app: LiveApp;
let folder: string;
const ids: Record<string, string> = {};

beforeAll(async () => {
  folder = throwawayFolder();
  app = await createLiveApp(DEPLOYED);
  const start = async (name: string, workflow: string) => {
    const id = await app.start(workflow);
    ids[name] = id;
    return id;
  };
  for (const name of ["waiting", "paused", "dead"]) await app.drive(await start(name, "steps"));
  await app.post(`/api/runs/${ids.paused}/pause`);
  await app.database.rows(
    `update pawl.runs set status = 'dead', finished_at = now(), wake_at = null,
       failure = '{"code": "x", "name": "X", "message": "x"}' where id = $1`,
    [ids.dead],
  );
  const done = await start("done", "steps");
  await app.drive(done);
  await app.post(`/api/runs/${done}/signals/go`);
  await app.drive(done);
  await start("ready", "steps");
  await app.drive(await start("sleeping", "nap"));
  // One with live branches, one whose branches have delivered what no turn has taken yet.
  await app.turn(await start("branching", "wide"));
  const delivered = await start("delivered", "wide");
  await app.turn(delivered);
  await app.branches(delivered);
  const undoing = await start("undoing", "undo");
  await app.drive(undoing);
  await app.post(`/api/runs/${undoing}/cancel`, { compensate: true });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await app?.stop();
});

let files = 0;

/** A file of workflows; `cloudflare:workers` is what only workerd has. */
function code(workflows: string): string {
  const file = join(folder, `workflows-${++files}.ts`);
  writeFileSync(
    file,
    `import { env } from "cloudflare:workers";
     import { defineWorkflow } from ${JSON.stringify(join(process.cwd(), "src/pawl.ts"))};
     const name = (text) => (env === undefined ? "" : text);
     const forbidden = () => { throw new Error("a step was performed"); };
     export const workflows = [${workflows}];`,
  );
  return file;
}

const STEPS = `defineWorkflow({ name: "steps" }, async ({ step }) => {
  await step.run(name("first"), forbidden);
  await step.waitForSignal("go");
  await step.run("second", forbidden);
})`;
const NAP = `defineWorkflow({ name: "nap" }, async ({ step }) => { await step.sleep("nap", "1 day"); })`;
const WIDE = `defineWorkflow({ name: "wide" }, async ({ step }) => {
  await Promise.all([step.run("left", forbidden), step.run("right", forbidden), step.waitForSignal("go")]);
})`;
const UNDO = `defineWorkflow({ name: "undo" }, async ({ step }) => {
  await step.run("book", forbidden, { compensate: forbidden });
  await step.waitForSignal("go");
})`;

const check = (...workflows: string[]) => checkRuns(app.database.url, code(workflows.join(",\n")));
const named = ({ diverging }: CheckReport) => {
  const byId = new Map(Object.entries(ids).map(([name, id]) => [id, name]));
  const found = diverging.map((run): [string, CheckedRun] => [byId.get(run.runId) ?? run.runId, run]);
  return Object.fromEntries(found);
};

test("code that is the same goes on with all live runs, and none of the ended ones is asked", async () => {
  const report = await check(STEPS, NAP, WIDE, UNDO);
  expect(report).toEqual({ checked: Object.keys(ids).length - 1, diverging: [], calls: [] });
});

test("code that only goes on differently after where its runs stand goes on with them", async () => {
  const report = await check(STEPS.replace('"second"', '"third"'), NAP, WIDE, UNDO);
  expect(report.diverging).toEqual([]);
});

test("a step that is called otherwise diverges in the runs that did it, with both sides named", async () => {
  const found = named(await check(STEPS.replace('"first"', '"begin"'), NAP, WIDE, UNDO));
  expect(Object.keys(found).sort()).toEqual(["dead", "paused", "waiting"]);
  expect(found.waiting).toMatchObject({
    workflow: "steps",
    version: 1,
    status: "waiting",
    code: "journal_mismatch",
  });
  expect(found.waiting?.message).toContain('holds step "first"');
  expect(found.waiting?.message).toContain('asks for "begin"');
  expect([found.paused?.status, found.dead?.status]).toEqual(["paused", "dead"]);
});

test("a step that is now something else diverges", async () => {
  const found = named(
    await check(STEPS.replace('run(name("first"), forbidden)', 'sleep("first", 1)'), NAP, WIDE, UNDO),
  );
  expect(found.waiting?.message).toContain('"first" was recorded as a step');
});

test("a wait and a sleep count as recorded", async () => {
  const found = named(
    await check(STEPS.replace('("go")', '("start")'), NAP.replace('"nap", "1', '"rest", "1'), WIDE, UNDO),
  );
  expect(Object.keys(found).sort()).toEqual(["dead", "paused", "sleeping", "waiting"]);
  expect(found.sleeping?.message).toContain('holds sleep "nap"');
  expect(found.waiting?.message).toContain('holds signal "go"');
});

test("steps that are under way, or have ended and were not taken yet, count as recorded", async () => {
  const found = named(await check(STEPS, NAP, WIDE.replace('"left"', '"port"'), UNDO));
  expect(Object.keys(found).sort()).toEqual(["branching", "delivered"]);
  expect(found.delivered?.message).toContain('"left"');
  expect(found.delivered?.message).toContain('"port"');
});

test("a run that undoes what it did needs its code, too", async () => {
  const found = named(await check(STEPS, NAP, WIDE, UNDO.replace('"book"', '"reserve"')));
  expect(Object.keys(found)).toEqual(["undoing"]);
});

test("a version that is gone is named", async () => {
  const found = named(await check(STEPS, NAP.replace('name: "nap"', 'name: "nap", version: 2'), WIDE, UNDO));
  expect(found).toMatchObject({ sleeping: { code: "workflow_not_found", version: 1 } });
  expect(Object.keys(found)).toEqual(["sleeping"]);
});

test("code that waits for what is not a step is found out", async () => {
  const stalled = NAP.replace("await step", "await new Promise(() => {}); await step");
  const found = named(await check(STEPS, stalled, WIDE, UNDO));
  expect(found.sleeping).toMatchObject({ code: "journal_mismatch" });
  expect(found.sleeping?.message).toContain("asks for no step");
});

test("what the code calls outside its steps is told of once, and keeps no run from going on", async () => {
  const careless = STEPS.replace("await step", "Date.now(); await step");
  const report = await check(careless, NAP, WIDE, UNDO);
  expect(report.diverging).toEqual([]);
  const call = { workflow: "steps", version: 1, call: "Date.now()", remedy: "step.now()" };
  expect(report.calls).toEqual([{ ...call, message: expect.stringContaining("Use step.now().") }]);
  const { code: ended, stdout } = await command("--workflows", code([careless, NAP, WIDE, UNDO].join(",\n")));
  expect(ended).toBe(0);
  expect(stdout).toMatch(/^warning: Workflow "steps" version 1 called Date\.now\(\) .*\nall \d+ live runs/);
});

test("nothing gets out of it, whatever the code does outside its steps", async () => {
  let calls = 0;
  const server = createServer((_request, response) => response.end(String(++calls)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const calling = NAP.replace("await step", `await fetch("http://127.0.0.1:${port}/"); await step`);
  expect((await check(STEPS, calling, WIDE, UNDO)).diverging).toEqual([]);
  expect(calls).toBe(0);
  await new Promise((resolve) => server.close(resolve));
});

test("nothing is written, and Postgres would refuse it", async () => {
  const tables = ["runs", "journal", "timers", "waits", "branches", "deliveries"];
  const dump = () =>
    Promise.all(tables.map((table) => app.database.rows(`select xmin, t.* from pawl.${table} t`)));
  const before = await dump();
  await check(STEPS.replace('"first"', '"begin"'), WIDE, UNDO);
  expect(await dump()).toEqual(before);
  const client = new pg.Client({ connectionString: app.database.url });
  await client.connect();
  const write = readOnly(client, "update pawl.runs set turn = turn + 1 where tenant = $1 or id = $2", [
    "default",
    "",
  ]);
  await expect(write).rejects.toThrow("read-only transaction");
  await client.end();
});

test("more runs than one page has are all looked at", async () => {
  const other = await createLiveApp(DEPLOYED);
  try {
    const runs = Array.from({ length: 50 }, () => ({}));
    await other.post("/api/workflows/steps/runs:batch", { runs });
    await other.database.rows(
      'insert into pawl.runs select (jsonb_populate_record(r, \'{"tenant": "other"}\')).* from pawl.runs r',
    );
    expect(await checkRuns(other.database.url, code(STEPS))).toEqual({
      checked: 100,
      diverging: [],
      calls: [],
    });
    expect((await checkRuns(other.database.url, code(NAP))).diverging).toHaveLength(100);
  } finally {
    await other.stop();
  }
});

/** The command as it is called, with what it prints and how it ends. */
function command(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, DATABASE_URL: app.database.url };
    execFile(process.execPath, ["scripts/check.ts", ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

test("the command ends with 0 when all fit, and with 1 and a list when some do not", async () => {
  const fits = await command("--workflows", code([STEPS, NAP, WIDE, UNDO].join(",\n")));
  expect(fits).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringMatching(/^all \d+ live runs go on/),
  });
  const file = code([STEPS, NAP.replace('"nap", "1', '"rest", "1'), WIDE, UNDO].join(",\n"));
  const some = await command("--workflows", file);
  expect(some).toMatchObject({ code: 1, stderr: "" });
  expect(some.stdout).toContain(
    `${ids.sleeping}, "nap" version 1, waiting:\n  The journal holds sleep "nap"`,
  );
  const json = await command("--workflows", file, "--json", "--database-url", app.database.url);
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ diverging: [{ runId: ids.sleeping, tenant: "default" }] });
});

test("what keeps it from looking is told", async () => {
  const missing = await command("--workflows", "nowhere.ts");
  expect(missing).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("there is no file") });
  const broken = await command("--workflows", code("1, (() => { throw new Error('no such setting'); })()"));
  expect(broken).toMatchObject({ code: 1, stdout: "" });
  expect(broken.stderr).toContain("no such setting");
});

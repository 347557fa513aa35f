import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type RunningPostgres, startPostgres } from "../../scripts/postgres.ts";
import { throwawayFolder } from "../support/postgres.ts";
import { childrenOf, isRunning } from "../support/processes.ts";

const script = join(import.meta.dirname, "../../scripts/postgres.ts");
let folder: string;
let dataDir: string;
let running: RunningPostgres[] = [];

beforeEach(() => {
  folder = throwawayFolder();
  dataDir = join(folder, "postgres");
});

afterEach(async () => {
  for (const postgres of running) await postgres.stop("immediate");
  running = [];
  rmSync(folder, { recursive: true, force: true });
});

test("keeps its data and its port over every way to end", { timeout: 60_000 }, async () => {
  const ends: string[] = [];
  const postgres = await start({ onExit: (reason) => ends.push(reason) });
  await ask(postgres.url, "create table kept as select 1 as id");
  for (const mode of ["smart", "fast", "immediate"] as const) {
    await postgres.stop(mode);
    expect(postgres.pid).toBeUndefined();
    await expect(ask(postgres.url, "select 1")).rejects.toThrow("ECONNREFUSED");
    await postgres.restart();
    expect(await ask(postgres.url, "select id from kept")).toEqual([{ id: 1 }]);
  }
  expect(ends).toEqual([]);
  process.kill(must(postgres.pid), "SIGKILL");
  await expect.poll(() => ends).toHaveLength(1);
  expect(ends[0]).toMatch(/^Postgres ended by itself \(SIGKILL\)/);
  await postgres.restart();
  expect(await ask(postgres.url, "select id from kept")).toEqual([{ id: 1 }]);
});

test("a second start finds data and password; a durable one flushes", { timeout: 60_000 }, async () => {
  const first = await start({ durable: true });
  await ask(first.url, "create table kept as select 1 as id");
  await first.stop();
  const second = await start({ durable: true });
  expect(await ask(second.url, "select id from kept")).toEqual([{ id: 1 }]);
  expect(await ask(second.url, "select current_setting('fsync') as fsync")).toEqual([{ fsync: "on" }]);
  expect(statSync(`${dataDir}/pawl.password`).mode & 0o777).toBe(0o600);
});

test("asks for the password, and listens on 127.0.0.1 only", { timeout: 60_000 }, async () => {
  const postgres = await start();
  await expect(ask(postgres.url.replace(/:[^:@]+@/, ":guess@"), "select 1")).rejects.toMatchObject({
    code: "28P01",
  });
  expect(
    await ask(
      postgres.url,
      "select current_setting('listen_addresses') as listen, current_setting('unix_socket_directories') as sockets",
    ),
  ).toEqual([{ listen: "127.0.0.1", sockets: "" }]);
});

test("refuses a folder that is in use, and a port that is taken", { timeout: 60_000 }, async () => {
  const first = await start();
  await expect(start()).rejects.toThrow(`${dataDir} is in use by process ${process.pid}`);
  await expect(start({ dataDir: join(folder, "other"), port: first.port })).rejects.toThrow(
    /Address already in use/,
  );
});

test("refuses the data of another major version", { timeout: 60_000 }, async () => {
  mkdirSync(dataDir);
  writeFileSync(`${dataDir}/PG_VERSION`, "9\n");
  await expect(start()).rejects.toThrow(`${dataDir} was made by Postgres 9`);
});

test("stops when its parent is killed", { timeout: 60_000 }, async () => {
  const { parent, pid } = await startInChild();
  parent.kill("SIGKILL");
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
});

test("a start right after its parent was killed waits for the orphan", { timeout: 60_000 }, async () => {
  const { parent, pid, url } = await startInChild();
  await ask(url, "create table kept as select 1 as id");
  parent.kill("SIGKILL");
  await once(parent, "exit");
  const postgres = await start();
  expect(isRunning(pid)).toBe(false);
  expect(await ask(postgres.url, "select id from kept")).toEqual([{ id: 1 }]);
});

test("an orphan that no watchdog saw is stopped by the next start", { timeout: 60_000 }, async () => {
  const { parent, pid } = await startInChild();
  for (const watchdog of childrenOf(must(parent.pid), "watchdog.ts")) process.kill(watchdog, "SIGKILL");
  parent.kill("SIGKILL");
  await once(parent, "exit");
  expect(isRunning(pid)).toBe(true);
  const postgres = await start();
  expect(isRunning(pid)).toBe(false);
  expect(await ask(postgres.url, "select 1 as up")).toEqual([{ up: 1 }]);
});

test.runIf(process.getuid?.() === 0)(
  "as root, a folder that Postgres' account cannot enter is no hindrance",
  { timeout: 60_000 },
  async () => {
    chmodSync(folder, 0o700);
    const postgres = await start();
    expect(postgres.dataDir).toMatch(/^\/var\/tmp\/pawl-[0-9a-f]{12}\/postgres$/);
    expect(await ask(postgres.url, "select 1 as up")).toEqual([{ up: 1 }]);
    await postgres.stop();
    rmSync(join(postgres.dataDir, ".."), { recursive: true });
    running = [];
  },
);

async function start(options: Parameters<typeof startPostgres>[0] = {}): Promise<RunningPostgres> {
  const postgres = await startPostgres({ dataDir, durable: false, ...options });
  running.push(postgres);
  return postgres;
}

async function startInChild(): Promise<{ parent: ChildProcess; pid: number; url: string }> {
  const program = `
    const { startPostgres } = await import(${JSON.stringify(script)});
    const { pid, url } = await startPostgres({ dataDir: ${JSON.stringify(dataDir)}, durable: false });
    process.send({ pid, url });
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [started] = await once(parent, "message");
  return { parent, ...started };
}

/** Signals to process 0 would go to our own group. */
function must(pid: number | undefined): number {
  if (pid === undefined) throw new Error("no process");
  return pid;
}

async function ask(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { throwawayFolder } from "../support/postgres.ts";
import { descendantsOf, isRunning, listProcesses } from "../support/processes.ts";

interface Stack {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The process and all that it had started when it was up. */
  readonly pids: number[];
  readonly url: string;
  readonly curl: string;
  output(): string;
}

const script = join(import.meta.dirname, "../../scripts/dev.ts");
let stateDir: string;
let children: ChildProcess[] = [];

beforeEach(() => {
  stateDir = throwawayFolder();
});

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  }
  children = [];
  rmSync(stateDir, { recursive: true, force: true });
});

test("prints a curl line that starts a run, keeps its secrets to itself, and goes on where it ended", async () => {
  const first = await startStack();
  expect(first.output()).toContain(`${first.url}/dashboard/`);
  const { status, body } = await paste(first.curl);
  expect(status).toBe(201);
  const token = readFileSync(join(stateDir, "token"), "utf8");
  const cluster = readdirSync(stateDir).find((name) => /^postgres-\d+$/.test(name)) ?? "";
  const password = readFileSync(join(stateDir, cluster, "pawl.password"), "utf8");
  for (const file of ["token", "worker.env"]) expect(statSync(join(stateDir, file)).mode & 0o777).toBe(0o600);
  for (const { command } of listProcesses()) {
    expect(command).not.toContain(token);
    expect(command).not.toContain(password);
  }
  expect(await end(first, "SIGINT")).toBe(0);
  await expectNothingLeft(first);

  const second = await startStack();
  expect(readFileSync(join(stateDir, "token"), "utf8")).toBe(token);
  const found = await fetch(`${second.url}/api/runs/${body.id}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(found.status).toBe(200);
});

test("a second start on the same state says where the first one is", async () => {
  const first = await startStack();
  const second = spawnStack();
  const [code] = await once(second.child, "exit");
  expect(code).toBe(1);
  expect(second.output().trim()).toBe(
    `pawl: npm run dev already runs at ${first.url} (process ${first.pid}): stop it, or take another --data-dir`,
  );
});

test.for(["SIGTERM", "SIGHUP"] as const)("%s stops every part, with exit code 0", async (signal) => {
  const stack = await startStack();
  expect(await end(stack, signal)).toBe(0);
  await expectNothingLeft(stack);
});

test("a signal while it starts leaves nothing", async () => {
  const { child, output } = spawnStack();
  let pids: number[] = [];
  const started = () => {
    pids = child.pid === undefined ? [] : descendantsOf(child.pid);
    return pids.length;
  };
  await expect.poll(started, { interval: 10, timeout: 30_000 }).toBeGreaterThan(1);
  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  expect([code, output()]).toEqual([0, ""]);
  await expect.poll(() => pids.filter(isRunning), { timeout: 10_000 }).toEqual([]);
});

test("killed, it leaves nothing", async () => {
  const stack = await startStack();
  stack.child.kill("SIGKILL");
  await expectNothingLeft(stack);
});

test("the end of Postgres is the end of all, and the last line says so", async () => {
  const stack = await startStack();
  process.kill(find(stack, "postgres -D"), "SIGKILL");
  const [code] = await once(stack.child, "exit");
  expect(code).toBe(1);
  expect(stack.output().trim().split("\n").at(-1)).toMatch(/^pawl: Postgres ended by itself \(SIGKILL\)/);
  await expectNothingLeft(stack);
});

test("the end of wrangler is the end of all", async () => {
  const stack = await startStack();
  process.kill(find(stack, "wrangler-dist/cli.js"), "SIGKILL");
  const [code] = await once(stack.child, "exit");
  expect(code).toBe(1);
  expect(stack.output()).toContain("pawl: the worker (wrangler dev) ended by itself");
  await expectNothingLeft(stack);
});

test("a killed workerd comes back", async () => {
  const stack = await startStack();
  const workerds = processesOf(stack).filter(({ command }) => command.includes("workerd serve"));
  expect(workerds.length).toBeGreaterThan(0);
  for (const { pid } of workerds) process.kill(pid, "SIGKILL");
  await expect.poll(() => health(stack), { timeout: 30_000, interval: 200 }).toBe(200);
});

function spawnStack(): { child: ChildProcess; output(): string } {
  let text = "";
  const { DATABASE_URL: _, PAWL_ADMIN_TOKEN: __, ...env } = process.env;
  const child = spawn(process.execPath, [script, "--data-dir", stateDir], {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
  children.push(child);
  return { child, output: () => text };
}

async function startStack(): Promise<Stack> {
  const { child, output } = spawnStack();
  const pid = child.pid;
  if (pid === undefined) throw new Error("not started");
  await expect
    .poll(() => /^curl .*\n/m.test(output()) || (child.exitCode !== null && output()), { timeout: 60_000 })
    .toBe(true);
  const url = /API +(\S+)/.exec(output())?.[1] ?? "";
  const curl = /^curl .*$/m.exec(output())?.[0] ?? "";
  return { child, pid, pids: [pid, ...descendantsOf(pid)], url, curl, output };
}

/** As a person would, with a shell. */
async function paste(curl: string): Promise<{ status: number; body: { id: string } }> {
  const { stdout } = await promisify(execFile)("sh", ["-c", `${curl} -s -w '\n%{http_code}'`]);
  const lines = stdout.split("\n");
  return { status: Number(lines.pop()), body: JSON.parse(lines.join("\n")) };
}

async function end(stack: Stack, signal: NodeJS.Signals): Promise<number | null> {
  stack.child.kill(signal);
  const [code] = await once(stack.child, "exit");
  return code;
}

async function expectNothingLeft(stack: Stack): Promise<void> {
  await expect.poll(() => stack.pids.filter(isRunning), { timeout: 15_000 }).toEqual([]);
}

function processesOf(stack: Stack) {
  return listProcesses().filter(({ pid }) => stack.pids.includes(pid));
}

function find(stack: Stack, word: string): number {
  const found = processesOf(stack).find(({ command }) => command.includes(word));
  if (found === undefined) throw new Error(`no process ${word}`);
  return found.pid;
}

async function health(stack: Stack): Promise<number> {
  const response = await fetch(`${stack.url}/healthz`, { signal: AbortSignal.timeout(1_000) }).catch(
    () => undefined,
  );
  return response?.status ?? 0;
}

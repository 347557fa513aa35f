import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildDashboard } from "../../scripts/support/dashboard.ts";
import { throwawayFolder } from "../support/postgres.ts";
import { createWorld, type World } from "../support/world.ts";

const KILOBYTE = 1_024;

let folder: string;
let world: World;

beforeAll(async () => {
  folder = throwawayFolder();
  await buildDashboard(folder);
  world = await createWorld({}, undefined, undefined, { assets: folder });
});
afterAll(async () => {
  await world?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Without a token, and without following redirects. */
const ask = (path: string, init: RequestInit = {}) =>
  world.worker.fetch(path, { redirect: "manual", ...init, headers: { authorization: "" } });

function read(file: string): string {
  return readFileSync(join(folder, file), "utf8");
}

/** The files that the page names, with their extension. */
function firstLoad(extension: string): string[] {
  return [...read("index.html").matchAll(/(?:src|href)="\/([^"]+)"/g)]
    .map(([, path = ""]) => path)
    .filter((path) => path.endsWith(extension));
}

function gzipped(files: readonly string[]): number {
  return files.reduce((sum, file) => sum + gzipSync(read(file), { level: 9 }).length, 0);
}

describe("the page", () => {
  test.each([
    "/dashboard",
    "/dashboard/",
    "/dashboard/runs?status=failed",
    "/dashboard/runs/01M7YESCS8AV6MMKQKV5JGV9SG",
    "/dashboard/index.html",
  ])("is served at %s to everybody, and kept by nobody", async (path) => {
    const response = await ask(path);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.text()).toBe(read("index.html"));
  });

  test("has a policy that allows files of our own and nothing else", async () => {
    const policy = (await ask("/dashboard/")).headers.get("content-security-policy") ?? "";
    const directives = policy.split("; ").map((directive) => directive.split(" "));
    expect(Object.fromEntries(directives.map(([name, ...values]) => [name, values.join(" ")]))).toEqual({
      "default-src": "'none'",
      "script-src": "'self'",
      "style-src": "'self'",
      "img-src": "'self'",
      "connect-src": "'self'",
      "base-uri": "'none'",
      "form-action": "'none'",
      "frame-ancestors": "'none'",
      "require-trusted-types-for": "'script'",
      "trusted-types": "'none'",
    });
  });

  test("has the headers of everything else here", async () => {
    const { headers } = await ask("/dashboard/");
    expect(Object.fromEntries(headers)).toMatchObject({
      "strict-transport-security": expect.stringContaining("max-age="),
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "permissions-policy": expect.stringContaining("camera=()"),
      "cross-origin-opener-policy": "same-origin",
    });
  });

  test("has no script, style or event handler of its own, and asks nobody else for anything", () => {
    const page = read("index.html");
    expect(page).not.toMatch(/<style|\sstyle=|\son\w+\s*=|javascript:|<script(?![^>]*\ssrc=)/i);
    expect(page).not.toMatch(/(?:src|href)="(?!\/dashboard\/assets\/)/);
  });

  test("answers HEAD without a body, and is nothing that could be posted to", async () => {
    const head = await ask("/dashboard/runs", { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect((await ask("/dashboard/runs", { method: "POST" })).status).toBe(401);
  });
});

describe("the files", () => {
  test("are served as they are, without the worker, and only as what they are", async () => {
    const files = readdirSync(join(folder, "dashboard/assets"));
    expect(files.some((file) => file.endsWith(".css"))).toBe(true);
    for (const file of files) {
      const response = await ask(`/dashboard/assets/${file}`);
      expect([file, response.status]).toEqual([file, 200]);
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(response.headers.get("x-request-id")).toBeNull();
    }
  });

  test("that are gone are not found: no page pretends to be a script", async () => {
    expect((await ask("/dashboard/assets/gone.js")).status).toBe(404);
  });

  test("lie nowhere but under /dashboard/: every other path is the worker's", async () => {
    for (const path of ["/", "/index.html", "/_headers", "/runs", "/assets/index.js", "/dashboardly"]) {
      expect([path, (await ask(path)).status]).toEqual([path, 401]);
    }
  });
});

describe("the first load", () => {
  test("is at most 110 KB of script and 20 KB of style on its way", () => {
    expect(gzipped(firstLoad(".js"))).toBeLessThanOrEqual(110 * KILOBYTE);
    expect(gzipped(firstLoad(".css"))).toBeLessThanOrEqual(20 * KILOBYTE);
  });

  test("leaves the charts for those who look at the metrics", () => {
    const first = firstLoad(".js").map(read).join();
    expect(first).not.toContain("u-over");
    const others = readdirSync(join(folder, "dashboard/assets")).filter((file) =>
      file.startsWith("metrics-"),
    );
    expect(others.map((file) => read(`dashboard/assets/${file}`)).join()).toContain("u-over");
  });
});

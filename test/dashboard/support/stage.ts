/** A world whose worker serves the dashboard, and a browser before it, for the tests of one file. */
import { rmSync } from "node:fs";
import type { Browser, BrowserContextOptions, Page, Request } from "playwright-core";
import { expect } from "vitest";
import { buildDashboard } from "../../../scripts/support/dashboard.ts";
import { throwawayFolder } from "../../support/postgres.ts";
import { eventually } from "../../support/waiting.ts";
import { TOKEN } from "../../support/worker.ts";
import { createWorld, type World } from "../../support/world.ts";
import { openBrowser } from "./browser.ts";

export const READ_TOKEN = "test-read-token-0123456789";

export interface Visit {
  readonly page: Page;
  /** What the page asked the worker for since the visit began, such as `GET /api/runs`. */
  readonly requests: readonly string[];
  /** What went wrong in the page: errors, and what the policy did not let it do. */
  readonly problems: string[];
  /** Resolves once all that the page has asked so far is answered, and in `requests`. */
  answered(): Promise<void>;
}

export interface Stage {
  readonly world: World;
  readonly browser: Browser;
  /** Opens a page of the dashboard, signed in unless there is another token, or none. */
  visit(path: string, options?: BrowserContextOptions & { readonly token?: string | null }): Promise<Visit>;
  /** What went wrong in all pages so far, which the test has looked at. */
  problems(): string[];
  /** After each test: nothing went wrong in any page, and they are closed; then the world is empty again. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

const ENTRY = "test/dashboard/fixture/index.ts";

export async function createStage(vars: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const assets = throwawayFolder();
  const [browser, world] = await Promise.all([
    openBrowser(),
    buildDashboard(assets).then(() =>
      createWorld({ PAWL_READ_TOKEN: READ_TOKEN, ...vars }, undefined, ENTRY, { assets }),
    ),
  ]);
  const visits: Visit[] = [];
  return {
    world,
    browser,
    async visit(path, { token = TOKEN, ...options } = {}) {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 900 },
        reducedMotion: "reduce",
        timezoneId: "America/Denver",
        ...options,
      });
      const page = await context.newPage();
      // Nothing is worth a wait of half a minute, unless the machine is slow.
      page.setDefaultTimeout(60_000);
      const visit = watch(page);
      visits.push(visit);
      const address = `${world.worker.url.origin}/dashboard${path}`;
      await page.goto(token === null ? address : `${address}#token=${token}`);
      return visit;
    },
    problems: () => visits.flatMap((visit) => visit.problems.splice(0)),
    async settle() {
      for (const { page } of visits) await page.context().close();
      const problems = visits.splice(0).flatMap((visit) => visit.problems);
      await world.settle();
      expect(problems).toEqual([]);
    },
    async stop() {
      await browser.close();
      await world.stop();
      rmSync(assets, { recursive: true, force: true });
    },
  };
}

/** A request of the tests' own. Those of a page are told in their order: whoever sees this has seen all before it. */
const MARK = "/healthz?mark";

function watch(page: Page): Visit {
  const requests: string[] = [];
  const problems: string[] = [];
  const pending = new Set<Request>();
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => {
    pending.add(request);
    const { pathname, search } = new URL(request.url());
    const ours = pathname + search === MARK;
    if (!ours && !pathname.startsWith("/dashboard/assets/")) requests.push(`${request.method()} ${pathname}`);
  });
  for (const event of ["requestfinished", "requestfailed"] as const) {
    page.on(event as "requestfinished", (request) => pending.delete(request));
  }
  const answered = async () => {
    await page.evaluate(`fetch("${MARK}").then((response) => response.text())`);
    await eventually("all is answered", () => pending.size === 0);
  };
  return { page, requests, problems, answered };
}

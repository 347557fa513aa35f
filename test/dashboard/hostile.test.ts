import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createStage, type Stage } from "./support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await createStage();
});
afterEach(() => stage.settle());
afterAll(() => stage?.stop());

/** Breaks out of text, attributes, scripts, styles, URLs and templates, wherever one of them takes it for its own. */
const HOSTILE = `"'><img src=x onerror="window.ran=1"><script>window.ran=1</script><svg/onload=window.ran=1>\${window.ran=1}`;
const LINK = "javascript:window.ran=1";

async function expectHarmless(page: Page, path: string): Promise<void> {
  await page.goto(`${stage.world.worker.url.origin}/dashboard${path}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForLoadState("networkidle");
  expect([path, await page.evaluate("window.ran ?? null")]).toEqual([path, null]);
  expect([
    path,
    await page.locator('img[src="x"], [onerror], [onload], a[href^="javascript:"]').count(),
  ]).toEqual([path, 0]);
}

test("what runs say of themselves is shown and never run, in every place that shows it", async () => {
  const { world } = stage;
  const text = HOSTILE.slice(0, 100);
  const id = await world.start("hostile", { text }, { tags: [HOSTILE.slice(0, 90), LINK] });
  await world.reaches(id, "failed");
  // What no workflow could be called, a row still could.
  await world.database.rows(
    `update pawl.runs set workflow = $2, idempotency_key = $2, deployment = $2 where id = $1`,
    [id, HOSTILE],
  );
  const waiting = await world.start("approval", { [HOSTILE]: LINK }, { tags: [LINK] });
  await world.reaches(waiting, "waiting");
  await world.database.rows("update pawl.waits set name = $1", [HOSTILE]);
  await world.worker.post(`/api/channels/${encodeURIComponent(text)}/messages`, { payload: HOSTILE });
  await world.worker.post(`/api/runs/${waiting}/notes`, { note: HOSTILE });
  const { page } = await stage.visit("/runs");
  await page.getByText(HOSTILE).first().waitFor();
  const hostileStep = encodeURIComponent(`step:${text}`);
  const paths = [
    "/runs",
    `/runs?workflow=${encodeURIComponent(HOSTILE)}&tag=${encodeURIComponent(LINK)}`,
    `/runs/${id}`,
    `/runs/${id}?step=${hostileStep}`,
    `/runs/${id}?step=step:throw`,
    ...["journal", "payloads", "related", "raw"].map((tab) => `/runs/${id}?tab=${tab}`),
    `/runs/${waiting}`,
    `/runs/${waiting}?tab=related`,
    `/runs/${encodeURIComponent(HOSTILE)}`,
    `/${encodeURIComponent(HOSTILE)}`,
    "/dead-letters",
    "/workflows",
    `/workflows/${encodeURIComponent(HOSTILE)}/start`,
    "/waits",
    `/waits?kind=signal&name=${encodeURIComponent(HOSTILE)}`,
    `/metrics?workflow=${encodeURIComponent(HOSTILE)}`,
    "/system",
    "/bulk",
    `/bulk/${encodeURIComponent(HOSTILE)}`,
  ];
  // Side by side, since each waits for its network to come to rest.
  const others = await Promise.all([1, 2, 3].map(() => stage.visit("/runs")));
  const queue = paths.values();
  await Promise.all(
    [page, ...others.map((other) => other.page)].map(async (each) => {
      for (const path of queue) await expectHarmless(each, path);
    }),
  );
  await page.goto(`${world.worker.url.origin}/dashboard/runs/${id}?step=${hostileStep}`);
  await page.getByRole("heading", { level: 2, name: text }).waitFor();
  // Ids that are none are not found, or no question at all: the browser tells of those answers.
  const problems = stage.problems();
  expect(problems.filter((problem) => !/status of 40[04]/.test(problem))).toEqual([]);
});

test("a policy stands behind that: a script that got into the page would not run", async () => {
  const { page } = await stage.visit("/runs");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.evaluate(`
    window.reports = new Set();
    addEventListener("securitypolicyviolation", (event) => window.reports.add(event.effectiveDirective));
    const attempt = (act) => { try { act(); } catch {} };
    const image = document.createElement("img");
    attempt(() => image.setAttribute("onerror", "window.ran = 1"));
    attempt(() => { document.body.innerHTML = "<img src=x onerror='window.ran = 1'>"; });
    const style = document.createElement("style");
    style.textContent = "body { color: red }";
    document.head.append(style);
    image.src = "https://example.com/none.png";
    document.body.append(image);`);
  await page.waitForFunction("window.reports.size >= 3");
  expect(await page.evaluate("[...window.reports].sort()")).toEqual([
    "img-src",
    "require-trusted-types-for",
    "style-src-elem",
  ]);
  expect(await page.evaluate("window.ran ?? null")).toBeNull();
  // That the browser told of each of them is what was wanted.
  stage.problems();
});

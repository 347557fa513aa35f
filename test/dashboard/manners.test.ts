import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";
import { TOKEN } from "../support/worker.ts";
import { createStage, READ_TOKEN, type Stage } from "./support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await createStage();
});
afterEach(() => stage.settle());
afterAll(() => stage?.stop());

const rows = (page: Page) => page.locator("[data-row]");
const heading = (page: Page, name: string | RegExp) => page.getByRole("heading", { level: 1, name });

async function naps(count: number): Promise<string[]> {
  const ids = await stage.world.startMany(
    "nap",
    Array.from({ length: count }, () => null),
  );
  await stage.world.allReach(ids, "waiting");
  return ids;
}

describe("signing in", () => {
  test("takes the token out of the address and the history, and needs it no more", async () => {
    const { page } = await stage.visit("/system");
    await heading(page, "System").waitFor();
    expect(page.url()).not.toContain("token");
    await page.reload();
    await heading(page, "System").waitFor();
    expect(
      await page.evaluate("JSON.stringify([document.cookie, localStorage, sessionStorage])"),
    ).not.toContain(TOKEN);
  });

  test("asks whoever has no session, says what is wrong with a token, and shows the page that was asked for", async () => {
    const { page, problems } = await stage.visit("/runs?status=failed", { token: null });
    await page.getByLabel("Token").fill("not the token, not at all");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Token").fill(TOKEN);
    await page.getByRole("button", { name: "Sign in" }).click();
    await heading(page, "Runs").waitFor();
    expect(page.url()).toContain("status=failed");
    expect(problems.splice(0).every((problem) => problem.includes("401"))).toBe(true);
  });

  test("is told to wait after too many wrong tokens, and others sign in meanwhile", async () => {
    const extraHTTPHeaders = { "cf-connecting-ip": "192.0.2.1" };
    const { page, problems } = await stage.visit("/runs", { token: null, extraHTTPHeaders });
    const alert = page.getByRole("alert");
    for (let i = 0; i < 10; i++) {
      await page.getByLabel("Token").fill(`wrong ${i}`);
      const answer = page.waitForResponse("**/api/session");
      await page.getByRole("button", { name: "Sign in" }).click();
      await answer;
    }
    await page.getByLabel("Token").fill(TOKEN);
    await page.getByRole("button", { name: "Sign in" }).click();
    await alert.filter({ hasText: /Too many wrong tokens/ }).waitFor();
    expect(problems.splice(0).every((problem) => /401|429/.test(problem))).toBe(true);
    const other = await stage.visit("/runs");
    await heading(other.page, "Runs").waitFor();
  });

  test("ends with signing out", async () => {
    const { page, problems } = await stage.visit("/runs");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Token").waitFor();
    await page.reload();
    await page.getByLabel("Token").waitFor();
    expect(problems.splice(0).every((problem) => problem.includes("401"))).toBe(true);
  });

  test("with the token that only reads shows everything and offers nothing that changes something", async () => {
    const [id] = await naps(1);
    const { page } = await stage.visit(`/runs/${id}`, { token: READ_TOKEN });
    await page.getByText("Read only").waitFor();
    await page.getByRole("row", { name: /the night/ }).waitFor();
    for (const name of ["Cancel", "Pause", "Rerun", "Send signal"]) {
      expect([name, await page.getByRole("button", { name, exact: true }).count()]).toEqual([name, 0]);
    }
  });
});

describe("the address", () => {
  test("holds the filter: it comes back after a reload, and the one before with the back button", async () => {
    await naps(2);
    await stage.world.start("approval");
    const { page } = await stage.visit("/runs");
    await eventually("all are shown", async () => (await rows(page).count()) === 3);
    await page.getByLabel("Workflow", { exact: true }).selectOption("nap");
    await eventually("only the naps are shown", async () => (await rows(page).count()) === 2);
    await page.reload();
    await eventually("they are still shown", async () => (await rows(page).count()) === 2);
    await page.goBack();
    await eventually("all are shown again", async () => (await rows(page).count()) === 3);
    expect(await page.getByLabel("Workflow", { exact: true }).inputValue()).toBe("");
  });

  test("holds the page of a list: older, a reload, newer", async () => {
    await naps(30);
    const { page } = await stage.visit("/runs");
    await page.getByRole("button", { name: "Older" }).click();
    await eventually("the last five are shown", async () => (await rows(page).count()) === 5);
    await page.reload();
    await eventually("they are shown again", async () => (await rows(page).count()) === 5);
    await page.getByRole("button", { name: "Newer" }).click();
    await eventually("the first page is shown", async () => (await rows(page).count()) === 25);
  });

  test("holds the step that is looked at", async () => {
    const [id] = await naps(1);
    const { page } = await stage.visit(`/runs/${id}`);
    await page.getByRole("row", { name: /before/ }).click();
    await page.getByRole("region", { name: "Step before" }).waitFor();
    await page.reload();
    await page.getByRole("region", { name: "Step before" }).waitFor();
    await page.goBack();
    await page.getByRole("region", { name: "Step before" }).waitFor({ state: "detached" });
  });

  test("of no run and of no page says so, and is not taken for something broken", async () => {
    const { page, problems } = await stage.visit("/runs/01M7YESCS8AV6MMKQKV5JGV9SG");
    await page.getByText("There is no run 01M7YESCS8AV6MMKQKV5JGV9SG").waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
    await page.goto(`${stage.world.worker.url.origin}/dashboard/nowhere`);
    await page.getByText("There is no such page").waitFor();
    expect(problems.splice(0).every((problem) => problem.includes("404"))).toBe(true);
  });

  test("takes an id that is pasted into the search, wherever one is", async () => {
    const [id = ""] = await naps(1);
    const { page } = await stage.visit("/dead-letters");
    await heading(page, "Dead letters").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.insertText(` ${id.toLowerCase()} `);
    await page.keyboard.press("Enter");
    await heading(page, "nap").waitFor();
  });
});

describe("asking", () => {
  /** What the page sees of a tab that is behind another. */
  const hide = (page: Page, hidden: boolean) =>
    page.evaluate(`
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => ${hidden} ? "hidden" : "visible" });
      Object.defineProperty(document, "hidden", { configurable: true, get: () => ${hidden} });
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));`);

  test("stops while the tab is hidden, and begins again at once when it is back", async () => {
    await naps(1);
    const { page, requests, answered } = await stage.visit("/runs");
    await page.clock.install();
    await page.reload();
    await rows(page).first().waitFor();
    await hide(page, true);
    await answered();
    const before = requests.length;
    await page.clock.runFor(5 * 60_000);
    await answered();
    expect(requests.slice(before)).toEqual([]);
    await hide(page, false);
    await eventually("it asks again", () => requests.slice(before).includes("GET /api/runs"));
  });

  test("asks for what is new in a journal, not for what is shown already", async () => {
    const [id = ""] = await naps(1);
    const { page } = await stage.visit(`/runs/${id}`);
    await page.getByRole("row", { name: /before/ }).waitFor();
    const asked: string[] = [];
    page.on("request", (request) => request.url().includes("/timeline") && asked.push(request.url()));
    await stage.world.database.moveClock(25 * 3_600_000);
    await stage.world.worker.tick();
    await stage.world.reaches(id, "completed");
    await page.getByRole("row", { name: /after/ }).waitFor();
    await page.getByRole("row", { name: /before/ }).waitFor();
    expect(asked.length).toBeGreaterThan(0);
    for (const url of asked) expect(Number(new URL(url).searchParams.get("after"))).toBeGreaterThan(0);
  });

  test("stops when nobody has touched anything for ten minutes, says so, and goes on when told to", async () => {
    await naps(1);
    const { page, requests, answered } = await stage.visit("/runs");
    await page.clock.install();
    await page.reload();
    await rows(page).first().waitFor();
    await page.clock.runFor(11 * 60_000);
    await page.getByText("Refreshing is paused").waitFor();
    await answered();
    const before = requests.length;
    await page.clock.runFor(5 * 60_000);
    await answered();
    expect(requests.slice(before)).toEqual([]);
    await page.getByRole("button", { name: "Resume" }).click();
    await page.clock.runFor(60_000);
    await eventually("it asks again", () => requests.length > before);
  });

  test("survives an outage: a banner while nothing answers, what was shown stays, and all is well by itself", async () => {
    const [id = ""] = await naps(1);
    const { page, problems, answered } = await stage.visit("/runs");
    await page.clock.install();
    await page.reload();
    await page.getByTitle(id).waitFor();
    const banner = page.getByText("No answer.");
    const askAgainUntil = (what: string, shown: number) =>
      eventually(what, async () => {
        await page.clock.runFor(5_000);
        await answered();
        return (await banner.count()) === shown;
      });
    await page.route("**/api/**", (route) => route.abort("connectionrefused"));
    await askAgainUntil("the banner is there", 1);
    await page.getByTitle(id).waitFor();
    await page.unroute("**/api/**");
    await askAgainUntil("the banner is gone", 0);
    expect(problems.splice(0).every((problem) => problem.includes("ERR_CONNECTION_REFUSED"))).toBe(true);
  });
});

describe("the cron", () => {
  test("that has not ticked for long is told of on every page, until it ticks", async () => {
    await stage.world.worker.tick();
    await stage.world.database.moveClock(7 * 60_000);
    const { page } = await stage.visit("/runs");
    await page.getByText(/The cron has not ticked for 7 min/).waitFor();
    await stage.world.worker.tick();
    await page.reload();
    await heading(page, "Runs").waitFor();
    await eventually("the banner is gone", async () => (await page.getByText("The cron has").count()) === 0);
  });
});

describe("the keyboard", () => {
  test("reaches everything: rows by j and k, a selection by x, a run by Enter, steps by the arrows", async () => {
    await naps(2);
    const { page } = await stage.visit("/runs");
    await rows(page).nth(1).waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    await page.keyboard.press("x");
    await page.getByText("1 selected on this page").waitFor();
    await page.keyboard.press("Enter");
    await heading(page, "nap").waitFor();
    await page.getByRole("row", { name: /the night/ }).waitFor();
    await page.getByRole("row", { name: /before/ }).focus();
    await page.keyboard.press("ArrowDown");
    await page.locator("tr:focus", { hasText: "the night" }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Step the night" }).waitFor();
  });

  test("shows its keys with ?, gives the focus back, and is quiet where somebody types or has turned it off", async () => {
    const { page } = await stage.visit("/runs");
    await heading(page, "Runs").waitFor();
    await page.keyboard.press("?");
    const sheet = page.getByRole("dialog", { name: "Keys" });
    await sheet.waitFor();
    await page.keyboard.press("Escape");
    await sheet.waitFor({ state: "detached" });
    await page.locator("#search").focus();
    await page.keyboard.press("?");
    expect(await sheet.count()).toBe(0);
    await page.locator("#search").fill("");
    await page.getByRole("button", { name: "Keys" }).click();
    await sheet.getByLabel("Keys are on").uncheck();
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    expect(await sheet.count()).toBe(0);
  });

  test("moves between pages with g and a letter", async () => {
    const { page } = await stage.visit("/runs");
    await heading(page, "Runs").waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("d");
    await heading(page, "Dead letters").waitFor();
  });
});

describe("times and looks", () => {
  test("are in the viewer's zone with UTC beside them, or in UTC, and the choice is kept", async () => {
    const [id] = await naps(1);
    const { page } = await stage.visit(`/runs/${id}`);
    const created = page.locator("dl time").first();
    await created.waitFor();
    expect(await created.getAttribute("title")).toMatch(/, .* UTC$/);
    expect(await created.textContent()).not.toContain("UTC");
    await page.getByRole("button", { name: "Local time" }).click();
    expect(await created.textContent()).toContain("UTC");
    await page.reload();
    await created.waitFor();
    expect(await created.textContent()).toContain("UTC");
  });

  test("are light or dark as the system has it, or as was chosen before", async () => {
    const { page } = await stage.visit("/runs", { colorScheme: "dark" });
    await heading(page, "Runs").waitFor();
    const background = () => page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
    const dark = await background();
    await page.keyboard.press("t");
    await eventually("it is light", async () => (await background()) !== dark);
    const light = await background();
    await page.reload();
    await heading(page, "Runs").waitFor();
    expect(await background()).toBe(light);
  });

  test("fit into 360 pixels: nothing but tables is wider", async () => {
    const [id] = await naps(1);
    const paths = ["/runs", `/runs/${id}`, "/dead-letters", "/workflows", "/waits", "/system", "/metrics"];
    const width = async (path: string) => {
      const { page } = await stage.visit(path, { viewport: { width: 360, height: 740 } });
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForLoadState("networkidle");
      return [path, await page.evaluate("document.documentElement.scrollWidth")];
    };
    expect(await Promise.all(paths.map(width))).toEqual(paths.map((path) => [path, 360]));
  });
});

describe("payloads", () => {
  test("are shown when small, on demand when larger, and only downloaded when they would freeze the page", async () => {
    const small = await stage.world.start("large", { bytes: 1_000 });
    const medium = await stage.world.start("large", { bytes: 200_000 });
    const big = await stage.world.start("large", { bytes: 990_000, filler: "x".repeat(900_000) });
    await stage.world.allReach([small, medium, big], "completed");
    const { page } = await stage.visit(`/runs/${small}?step=step:fill`);
    await page.getByText("100 items").waitFor();
    await page.goto(`${stage.world.worker.url.origin}/dashboard/runs/${medium}?step=step:fill`);
    await page.getByRole("button", { name: /^Show 2\d\d KB$/ }).click();
    await page.getByText("20000 items").click();
    await page.getByRole("button", { name: "19800 more" }).waitFor();
    await page.goto(`${stage.world.worker.url.origin}/dashboard/runs/${big}?tab=raw`);
    const download = page.getByRole("button", { name: "Download" });
    await download.waitFor();
  });
});

import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createStage, type Stage } from "./support/stage.ts";

let stage: Stage;
/** One for all pages, so that each finds the files of the one before. */
let page: Page;
const ids: Record<string, string> = {};

/** Something to see on every page: made once, and only looked at. */
beforeAll(async () => {
  stage = await createStage();
  const { world } = stage;
  const order = { orderId: "order-1", customer: "Ada", amount: 100 };
  world.ledger.onEffect = ({ step, attempt }) => {
    if (step === "ship") return { fail: "the van is broken" };
    return step === "flaky" && attempt === 1 ? { fail: "not yet" } : {};
  };
  ids.failed = await world.start("order", order, { tags: ["eu", "web"] });
  ids.busy = await world.start("busy", { rounds: 200 });
  ids.asleep = await world.start("nap");
  ids.waiting = await world.start("approval");
  ids.plain = await world.start("large", { bytes: 1_000 });
  await world.reaches(ids.failed, "failed");
  await world.reaches(ids.busy, "completed");
  await world.allReach([ids.asleep, ids.waiting], "waiting");
  await world.worker.post(`/api/runs/${ids.failed}/notes`, { note: "asked the garage" });
  const { body } = await world.worker.post("/api/bulk", {
    verb: "revive",
    ids: [ids.asleep],
    note: "why not",
  });
  ids.bulk = (body as { id: string }).id;
  await world.worker.tick();
  ({ page } = await stage.visit("/runs"));
});
afterAll(async () => {
  await stage?.settle();
  await stage?.stop();
});

/** With what shows that the page is there. */
const PAGES: [name: string, path: () => string, there: string][] = [
  ["the runs", () => "/runs", "[data-row]"],
  ["no run that matches", () => "/runs?tag=none", "text=No run matches"],
  ["a failed run", () => `/runs/${ids.failed}?step=step:ship`, "section[aria-label='Step ship']"],
  ["a run with 200 steps", () => `/runs/${ids.busy}`, "[role=treegrid] tbody tr"],
  ["a sleeping run's journal", () => `/runs/${ids.asleep}?tab=journal`, "table tbody tr"],
  ["a run's payloads", () => `/runs/${ids.plain}?tab=payloads`, "text=Input"],
  ["what belongs to a run", () => `/runs/${ids.failed}?tab=related`, "text=asked the garage"],
  ["a run as JSON", () => `/runs/${ids.waiting}?tab=raw`, "details"],
  ["dead letters", () => "/dead-letters", "text=the van is broken"],
  ["bulk actions", () => "/bulk", "table tbody tr"],
  ["a bulk action", () => `/bulk/${ids.bulk}`, "progress"],
  ["workflows", () => "/workflows", "main li"],
  ["a start", () => "/workflows/order/start", "main form input"],
  ["what is awaited", () => "/waits", "table tbody tr"],
  ["metrics", () => "/metrics", "canvas"],
  ["the system", () => "/system", "text=reclaim leases"],
  ["a page that is not there", () => "/nowhere", "text=There is no such page"],
];

const EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** The structure of a page is the same in all its looks: what may be wrong in another one are the colours and the room. */
const LOOKS = [
  { width: 1280, colorScheme: "light", tags: EVERYTHING },
  { width: 1280, colorScheme: "dark", rules: ["color-contrast"] },
  {
    width: 360,
    colorScheme: "light",
    rules: ["color-contrast", "target-size", "scrollable-region-focusable"],
  },
  { width: 360, colorScheme: "dark", rules: ["color-contrast"] },
] as const;

/** In place of axe, where the page has it already. */
const NOTHING = "undefined";

async function scan(page: Page, name: string): Promise<void> {
  for (const { width, colorScheme, ...what } of LOOKS) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    const first = "tags" in what;
    // Without frames there is nothing to put together in another page, and of what is right nothing to tell.
    const axe = new AxeBuilder({ page, ...(first ? {} : { axeSource: NOTHING }) })
      .setLegacyMode()
      .options({ resultTypes: ["violations"] });
    if (first) axe.withTags([...what.tags]);
    else axe.withRules([...what.rules]);
    const { violations } = await axe.analyze();
    const found = violations.map(({ id, nodes }) => [
      id,
      nodes.slice(0, 3).map(({ failureSummary, html }) => html + failureSummary),
    ]);
    expect.soft([name, width, colorScheme, found]).toEqual([name, width, colorScheme, []]);
  }
}

test.each(PAGES)(
  "axe finds nothing wrong on %s, light and dark, wide and narrow",
  async (name, path, there) => {
    await page.goto(`${stage.world.worker.url.origin}/dashboard${path()}`);
    await page.locator(there).first().waitFor();
    await scan(page, name);
    expect(stage.problems()).toEqual([]);
  },
);

test("axe finds nothing wrong where somebody signs in, light and dark, wide and narrow", async () => {
  const { page } = await stage.visit("", { token: null });
  await page.locator("#token").waitFor();
  await scan(page, "signing in");
  // The browser tells that nobody is signed in.
  stage.problems();
});

test("axe finds nothing wrong in the dialogs", async () => {
  await page.goto(`${stage.world.worker.url.origin}/dashboard/runs/${ids.asleep}`);
  for (const dialog of ["Rerun", "Edit input and rerun", "Send signal", "Cancel", "Keys"]) {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole("button", { name: dialog, exact: true }).click();
    await page.getByRole("dialog").waitFor();
    await scan(page, `the dialog ${dialog}`);
    await page.keyboard.press("Escape");
  }
});

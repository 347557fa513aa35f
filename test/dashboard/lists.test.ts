import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";
import { createStage, type Stage, type Visit } from "./support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await createStage();
});
afterEach(() => stage.settle());
afterAll(() => stage?.stop());

const rows = (page: Page) => page.locator("[data-row]");

async function start(workflow: string, count: number): Promise<string[]> {
  const ids = await stage.world.startMany(
    workflow,
    Array.from({ length: count }, () => null),
  );
  await stage.world.allReach(ids, "waiting");
  return ids;
}

describe("newer runs", () => {
  const pill = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

  /** Lets the page ask again until it says that. */
  const isTold = ({ page, answered }: Visit, name: string) =>
    eventually(`the page tells of ${name}`, async () => {
      await page.clock.runFor(15_000);
      await answered();
      return (await pill(page, name).count()) === 1;
    });

  async function visitOf(count: number): Promise<Visit> {
    await start("nap", count);
    const visit = await stage.visit("/runs");
    await visit.page.clock.install();
    await visit.page.reload();
    await eventually("they are shown", async () => (await rows(visit.page).count()) === count);
    return visit;
  }

  test("move nothing while something is selected: they are counted, and come in when they are asked for", async () => {
    const visit = await visitOf(2);
    const { page } = visit;
    const first = await rows(page).first().getByRole("link").first().getAttribute("title");
    await page.getByLabel(`Select run ${first}`).check();
    await start("nap", 3);
    await isTold(visit, "3 new runs");
    expect(await rows(page).count()).toBe(2);
    await pill(page, "3 new runs").click();
    await eventually("they are in the list", async () => (await rows(page).count()) === 5);
    expect(await pill(page, "3 new runs").count()).toBe(0);
    expect(await page.getByLabel(`Select run ${first}`).isChecked()).toBe(true);
  });

  test("move nothing below the top of the page, and come in by themselves when somebody goes back there", async () => {
    const visit = await visitOf(25);
    const { page } = visit;
    await page.evaluate("scrollTo(0, 400)");
    const top = () => rows(page).first().getByRole("link").first().getAttribute("title");
    const [before, [id]] = [await top(), await start("nap", 1)];
    await isTold(visit, "1 new run");
    expect(await top()).toBe(before);
    expect(await rows(page).count()).toBe(25);
    await page.evaluate("scrollTo(0, 0)");
    await eventually("it is the first", async () => (await top()) === id);
  });

  test("are in the list at once where nobody has begun to read it", async () => {
    const { page, answered } = await visitOf(1);
    await start("nap", 1);
    await eventually("it is there", async () => {
      await page.clock.runFor(15_000);
      await answered();
      return (await rows(page).count()) === 2;
    });
    expect(await page.getByRole("button", { name: /new run/ }).count()).toBe(0);
  });
});

describe("the counters", () => {
  test("say how many runs the list has that each of them narrows it to", async () => {
    await start("nap", 2);
    await start("approval", 1);
    const { page } = await stage.visit("/runs");
    const counter = (name: string) => page.getByRole("button", { name });
    for (const [name, count] of [
      ["Sleeping 2", 2],
      ["Waiting 1", 1],
    ] as const) {
      await counter(name).click();
      await eventually(`${name} is pressed`, async () => {
        const pressed = await counter(name).getAttribute("aria-pressed");
        return pressed === "true" && (await rows(page).count()) === count;
      });
    }
    await page.getByRole("button", { name: /waits for: more than time/ }).waitFor();
  });
});

describe("a chart", () => {
  test("that somebody draws over leads to the runs that were created in that time", async () => {
    const [id = ""] = await start("nap", 1);
    await start("approval", 1);
    const { page } = await stage.visit("/metrics?range=1h&workflow=nap");
    const over = page.locator(".u-over").first();
    await over.waitFor();
    const { x, y, width, height } = (await over.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.mouse.move(x + width * 0.1, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.5, y + height / 2, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL(/\/runs\?.*createdBefore/);
    await page.getByText("No run matches").waitFor();
    const { searchParams } = new URL(page.url());
    const at = (name: string) => Date.parse(searchParams.get(name) ?? "");
    expect(searchParams.get("workflow")).toBe("nap");
    const minutes = (at("createdBefore") - at("createdAfter")) / 60_000;
    expect(minutes > 20 && minutes < 28).toBe(true);
    await page.getByRole("button", { name: /^before/ }).click();
    await page.getByTitle(id).waitFor();
    expect(await rows(page).count()).toBe(1);
  });
});

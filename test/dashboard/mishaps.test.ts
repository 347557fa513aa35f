import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createStage, type Stage } from "./support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await createStage();
});
afterEach(() => stage.settle());
afterAll(() => stage?.stop());

const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name });
const goTo = (page: Page, name: string) => page.getByRole("link", { name, exact: true }).click();

describe("a file that is gone", () => {
  const SYSTEM = "**/dashboard/assets/system-*.js";

  /** The browser tells of the file and of what could not be imported; React of the page that it could not draw. */
  const areOfTheFile = (problems: string[]) =>
    problems.splice(0).every((problem) => /404|dynamically imported|preload/.test(problem));

  test("after a deployment has the page loaded anew, and then it is there", async () => {
    const { page, problems } = await stage.visit("/runs");
    await heading(page, "Runs").waitFor();
    await page.evaluate("window.before = true");
    await page.route(SYSTEM, (route) => route.fulfill({ status: 404 }), { times: 1 });
    await goTo(page, "System");
    await heading(page, "System").waitFor();
    expect(await page.evaluate("window.before ?? false")).toBe(false);
    expect(areOfTheFile(problems)).toBe(true);
  });

  test("for good is told of after one such try, and the other pages are there", async () => {
    const { page, problems, requests, answered } = await stage.visit("/runs");
    await heading(page, "Runs").waitFor();
    await page.evaluate("window.before = true");
    await page.route(SYSTEM, (route) => route.fulfill({ status: 404 }));
    await goTo(page, "System");
    await page.waitForFunction("!window.before");
    await heading(page, "Something broke").waitFor();
    await answered();
    expect(requests.filter((request) => request === "GET /dashboard/system")).toHaveLength(1);
    await goTo(page, "Runs");
    await heading(page, "Runs").waitFor();
    expect(areOfTheFile(problems)).toBe(true);
  });
});

describe("where the clipboard is refused", () => {
  /** A page of a run, in a browser that changed in that way. */
  async function refused(change: string): Promise<{ page: Page; id: string }> {
    const id = await stage.world.start("approval");
    await stage.world.reaches(id, "waiting");
    const { page } = await stage.visit(`/runs/${id}`);
    await heading(page, "approval").waitFor();
    await page.evaluate(`
      navigator.clipboard.writeText = () => Promise.reject(new Error("refused"));
      ${change}`);
    await page.getByRole("button", { name: "Copy the run id" }).first().click();
    return { page, id };
  }

  test("a selection is copied", async () => {
    const { page, id } = await refused("");
    await page.getByText("Copied the run id.").waitFor();
    await page.locator("#search").focus();
    await page.keyboard.press("ControlOrMeta+V");
    expect(await page.locator("#search").inputValue()).toBe(id);
  });

  test("and selections are too, the text is shown to be copied by hand", async () => {
    const { page, id } = await refused("document.execCommand = () => false;");
    await page.getByText(`The run id: ${id}`).waitFor();
  });
});

import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually, gate } from "../support/waiting.ts";
import { createStage, type Stage } from "./support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await createStage();
});
afterEach(() => stage.settle());
afterAll(() => stage?.stop());

const order = (customer: string, amount = 100) => ({ orderId: `order of ${customer}`, customer, amount });

/** Resolves once the page shows the text. */
const shows = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();

const runIdIn = (page: Page) => /\/runs\/(\w{26})/.exec(page.url())?.[1] ?? "";

const follow = (page: Page) => page.waitForURL(/\/runs\/\w{26}/).then(() => runIdIn(page));

const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name });

/** In the dialog that is open. */
const confirm = (page: Page, name: string | RegExp) =>
  page.getByRole("dialog").getByRole("button", { name }).click();

const statusOf = (page: Page) => page.locator("dl [data-status]").first();

test("the first run ever: the empty page teaches how, a form starts it, and the list shows it by itself", async () => {
  const { page } = await stage.visit("/");
  await shows(page, "Waiting for the first run…");
  await shows(page, /curl -X POST .*\/api\/workflows\/approval\/runs/);
  await page.getByRole("link", { name: "Start run" }).click();
  await page
    .getByRole("listitem")
    .filter({ hasText: "order" })
    .getByRole("link", { name: "Start run" })
    .click();
  await page.getByLabel("orderId").fill("order-1");
  await page.getByLabel("customer").fill("Ada");
  await page.getByLabel("amount").fill("1999");
  await page.getByLabel("Tags").fill("web eu");
  await button(page, "Start run").click();
  const id = await follow(page);
  await stage.world.reaches(id, "completed");
  await statusOf(page).filter({ hasText: "Completed" }).waitFor();
  const [row] = await stage.world.database.rows("select input, tags from pawl.runs");
  expect(row).toEqual({ input: { orderId: "order-1", customer: "Ada", amount: 1999 }, tags: ["web", "eu"] });
});

test("the empty list turns into the first run when it comes from elsewhere", async () => {
  const { page } = await stage.visit("/runs");
  await shows(page, "Waiting for the first run…");
  const id = await stage.world.start("nap");
  await page.getByTitle(id).waitFor();
});

test("a failed order is found by its customer, and a new run goes on from the step that failed", async () => {
  stage.world.ledger.onEffect = ({ step }) => (step === "ship" ? { fail: "the van is broken" } : {});
  const failed = await stage.world.start("order", order("Grace"));
  await stage.world.start("order", order("Alan"));
  await stage.world.reaches(failed, "failed");
  const { page } = await stage.visit("/runs");
  await page.getByLabel(/Add a filter/).fill("input.customer:Grace");
  await page.keyboard.press("Enter");
  await page.waitForURL(/input\.customer=Grace/);
  await eventually("only hers is shown", async () => (await page.locator("[data-row]").count()) === 1);
  await page.getByTitle(failed).click();
  await shows(page, "the van is broken");
  stage.world.ledger.onEffect = () => ({});
  await page.getByRole("link", { name: "Open step ship" }).click();
  await button(page, "Rerun from here").click();
  await confirm(page, "Make the new run");
  await eventually("the page is the new run's", () => runIdIn(page) !== failed);
  const made = runIdIn(page);
  await stage.world.reaches(made, "completed");
  await statusOf(page).filter({ hasText: "Completed" }).waitFor();
  expect(stage.world.ledger.of(made).map(({ step }) => step)).toEqual(["ship"]);
});

test("a live run is watched to its end: its bar grows, its status changes, and then nobody asks any more", async () => {
  const held = gate<unknown>();
  stage.world.ledger.onEffect = (effect) => (effect.step === "ship" ? held.pass(effect) : undefined);
  const id = await stage.world.start("order", order("Ada"));
  await held.reached;
  const { page, requests, answered } = await stage.visit(`/runs/${id}`);
  await statusOf(page).filter({ hasText: "Running" }).waitFor();
  await page.getByRole("row", { name: /This turn/ }).waitFor();
  await page.clock.install();
  held.open({});
  await statusOf(page).filter({ hasText: "Completed" }).waitFor();
  await page.getByRole("row", { name: /ship Completed/ }).waitFor();
  const asked = () => requests.filter((request) => request === `GET /api/runs/${id}`).length;
  await answered();
  const before = asked();
  await page.clock.runFor(60_000);
  await answered();
  expect(asked()).toBe(before);
});

test("a sleeping run is cancelled, after a question", async () => {
  const id = await stage.world.start("nap");
  await stage.world.reaches(id, "waiting");
  const { page } = await stage.visit(`/runs/${id}`);
  await statusOf(page).filter({ hasText: "Sleeping" }).waitFor();
  await button(page, "Cancel").click();
  expect(await stage.world.run(id)).toMatchObject({ status: "waiting" });
  await confirm(page, "Cancel the run");
  await statusOf(page).filter({ hasText: "Cancelled" }).waitFor();
  expect(await stage.world.run(id)).toMatchObject({ status: "cancelled" });
});

test("the input is edited and the run made anew; what does not fit the schema is refused with its field", async () => {
  const id = await stage.world.start("order", order("Ada", 100));
  await stage.world.reaches(id, "completed");
  const { page, problems } = await stage.visit(`/runs/${id}`);
  await button(page, "Edit input and rerun").click();
  const input = page.getByRole("dialog").getByLabel("Input");
  await input.fill(JSON.stringify(order("Ada", -1)));
  await confirm(page, "Make the new run");
  await page.getByRole("alert").filter({ hasText: "amount" }).waitFor();
  await input.fill('{"orderId": ');
  expect(await button(page, "Make the new run").isDisabled()).toBe(true);
  await input.fill(JSON.stringify(order("Ada", 250)));
  await confirm(page, "Make the new run");
  await eventually("the page is the new run's", () => runIdIn(page) !== id);
  await stage.world.reaches(runIdIn(page), "completed");
  expect(stage.world.ledger.of(runIdIn(page)).map(({ step }) => step)).toContain("charge 250");
  // The browser tells of the refusal, as it does of every answer that is none.
  expect(problems.splice(0)).toEqual([expect.stringContaining("422")]);
});

test("the input is edited where a new run goes on from a step: what was done before is not done again", async () => {
  const id = await stage.world.start("order", order("Ada", 100));
  await stage.world.reaches(id, "completed");
  const { page } = await stage.visit(`/runs/${id}?step=step:charge`);
  await button(page, "Rerun from here").click();
  const dialog = page.getByRole("dialog", { name: "Rerun from charge" });
  await dialog.getByLabel(/^Edit the input/).check();
  expect(JSON.parse(await dialog.getByLabel("Input", { exact: true }).inputValue())).toEqual(
    order("Ada", 100),
  );
  await dialog.getByLabel("Input", { exact: true }).fill(JSON.stringify(order("Ada", 250)));
  await confirm(page, "Make the new run");
  await eventually("the page is the new run's", () => runIdIn(page) !== id);
  await stage.world.reaches(runIdIn(page), "completed");
  expect(stage.world.ledger.of(runIdIn(page)).map(({ step }) => step)).toEqual(["charge 250", "ship"]);
});

test("a run that waits for a signal is told which, and goes on with what it is sent", async () => {
  const id = await stage.world.start("approval");
  await stage.world.reaches(id, "waiting");
  const { page } = await stage.visit(`/runs/${id}`);
  await button(page, "Send signal").click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.getByLabel("Name").inputValue()).toBe("approved");
  await dialog.getByLabel("Payload").fill('{"by": "Ada"}');
  await confirm(page, "Send");
  await stage.world.reaches(id, "completed");
  await page.getByRole("link", { name: "Input and output" }).click();
  await shows(page, '"Ada"');
});

test("a run is paused and resumed", async () => {
  const id = await stage.world.start("nap");
  await stage.world.reaches(id, "waiting");
  const { page } = await stage.visit(`/runs/${id}`);
  await button(page, "Pause").click();
  await statusOf(page).filter({ hasText: "Paused" }).waitFor();
  await button(page, "Resume").click();
  await stage.world.reaches(id, "waiting");
});

test("forty dead letters of one error are revived together, once it is said how many, and their progress is watched", async () => {
  stage.world.ledger.onEffect = ({ step }) => (step === "charge 100" ? { fail: "card 4711 declined" } : {});
  const ids = await stage.world.startMany(
    "order",
    Array.from({ length: 40 }, (_, i) => order(`customer ${i}`)),
  );
  await stage.world.allReach(ids, "failed");
  const other = await stage.world.start("approval");
  await stage.world.reaches(other, "waiting");
  stage.world.ledger.onEffect = () => ({});
  const { page } = await stage.visit("/dead-letters");
  await shows(page, "40 open in 1 group.");
  await page.getByRole("heading", { name: /card 4711 declined/ }).waitFor();
  await button(page, "Revive 40").click();
  const dialog = page.getByRole("dialog", { name: "Revive 40 runs?" });
  await dialog.getByLabel("At most").selectOption("100 a second");
  await dialog.getByLabel("Note").fill("the bank is back");
  await confirm(page, "Revive 40 runs");
  await page.waitForURL(/\/bulk\//);
  await eventually("the bulk action is done", async () => {
    await stage.world.worker.tick();
    return (await page.getByText("40 of 40 seen").count()) === 1;
  });
  await stage.world.allReach(ids, "completed");
  await shows(page, "the bank is back");
  await page.getByRole("link", { name: "Dead letters" }).click();
  await shows(page, "No dead letters.");
  expect(await stage.world.run(other)).toMatchObject({ status: "waiting" });
});

test("some dead letters of a group are discarded, and a note on one tells why", async () => {
  stage.world.ledger.onEffect = () => ({ fail: "no stock" });
  const ids = await stage.world.startMany("order", [order("Ada"), order("Grace"), order("Alan")]);
  await stage.world.allReach(ids, "failed");
  const { page } = await stage.visit("/dead-letters");
  await button(page, "Show the runs").click();
  for (const id of ids.slice(0, 2)) await page.getByLabel(`Select run ${id}`).check();
  await page.getByRole("region", { name: "Selected runs" }).getByRole("button", { name: "Discard" }).click();
  await confirm(page, "Discard 2 runs");
  await eventually("they are discarded", async () => {
    await stage.world.worker.tick();
    return (
      (await stage.world.database.rows("select from pawl.runs where discarded_at is not null")).length === 2
    );
  });
  await page.goto(`${stage.world.worker.url.origin}/dashboard/runs/${ids[2]}?tab=related`);
  await page.getByLabel("Note").fill("asked the warehouse");
  await button(page, "Add note").click();
  await page.getByRole("listitem").filter({ hasText: "asked the warehouse" }).waitFor();
});

test("an older version of a workflow is started, and a new run of the newer one goes on from its second step", async () => {
  const { page } = await stage.visit("/workflows");
  const card = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "report" }) });
  await card.getByText(/v2, v1|v1, v2/).waitFor();
  await card.getByRole("link", { name: "Start run" }).click();
  await page.getByLabel("title").fill("The year");
  await page.getByLabel("Version").selectOption("1");
  await page.getByLabel("colour").fill("red");
  await button(page, "Start run").click();
  const old = await follow(page);
  expect(await stage.world.reaches(old, "completed")).toMatchObject({ version: 1 });
  expect(stage.world.ledger.of(old).map(({ step }) => step)).toEqual(["collect", "print in red"]);
  await page.getByRole("row", { name: /print Completed/ }).click();
  await button(page, "Rerun from here").click();
  await page.getByRole("dialog").getByLabel("Version").selectOption("2");
  await confirm(page, "Make the new run");
  await eventually("the page is the new run's", () => runIdIn(page) !== old);
  const made = runIdIn(page);
  expect(await stage.world.reaches(made, "completed")).toMatchObject({ version: 2 });
  expect(stage.world.ledger.of(made).map(({ step }) => step)).toEqual(["print plainly"]);
});

/**
 * `node scripts/screenshots.ts http://127.0.0.1:8787/dashboard/#token=…`: gives a stack of `npm run dev` something to show and
 * takes the pictures of `docs/images`. They show what the example shop does, and how it fails. With `examples` behind the address
 * it takes those of a stack that serves the examples, as `examples/README.md` says: of what runs wait for.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Page } from "playwright-core";
import { openBrowser } from "../test/dashboard/support/browser.ts";
import { runCommand } from "./support/command.ts";
import { project } from "./support/wrangler.ts";

const FOLDER = join(project, "docs/images");
const CUSTOMERS = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Barbara Liskov", "Edsger Dijkstra"];
const PAGES = [
  ["runs", "/runs"],
  ["run", "/runs/RETRIED?step=step%3Aship%20parcel"],
  ["failed-run", "/runs/FAILED"],
  ["dead-letters", "/dead-letters"],
  ["start", "/workflows/fulfil-order/start"],
  ["workflows", "/workflows"],
  ["metrics", "/metrics?range=1h"],
  ["system", "/system"],
] as const;
const PAGES_OF_EXAMPLES = [["channels-and-signals", "/waits"]] as const;

await runCommand(async () => {
  const address = new URL(process.argv[2] ?? "");
  const token = decodeURIComponent(address.hash.replace("#token=", ""));
  const shop = process.env.SHOP_URL;
  if (token === "" || shop === undefined) {
    throw new Error(
      "give the dashboard's address as npm run dev prints it, and SHOP_URL, as .pawl/worker.env has it",
    );
  }
  const api = createApi(address.origin, token);
  if (process.argv[3] === "examples") {
    await seedExamples(api);
    await takePictures(address, PAGES_OF_EXAMPLES, {});
  } else await takePictures(address, PAGES, await seed(api, shop));
});

interface Api {
  post(path: string, body: unknown): Promise<string>;
  /** Resolves when the run is over. */
  over(id: string): Promise<void>;
}

function createApi(origin: string, token: string): Api {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return {
    async post(path, body) {
      const response = await fetch(origin + path, { method: "POST", headers, body: JSON.stringify(body) });
      if (!response.ok) throw new Error(`POST ${path} answered ${response.status}: ${await response.text()}`);
      return ((await response.json()) as { id: string }).id;
    },
    async over(id) {
      await fetch(`${origin}/api/runs/${id}/result?wait=30s`, { headers });
    },
  };
}

/** Orders that go well, that are declined, and one whose parcel needs a second try; reminders that sleep. */
async function seed(api: Api, shop: string): Promise<Record<string, string>> {
  let number = 1000;
  const order = (tags: readonly string[]) => {
    const customer = CUSTOMERS[number % CUSTOMERS.length] ?? "";
    const email = `${customer.split(" ")[0]?.toLowerCase()}@example.com`;
    const lines = [{ sku: "PWL-01", quantity: 2, unitPrice: 1999 }];
    return api.post("/api/workflows/fulfil-order/runs", {
      input: { orderId: `order-${++number}`, customer, email, lines },
      tags,
    });
  };
  const failing = async (failures: unknown, act: () => Promise<string>) => {
    const headers = { "content-type": "application/json" };
    await fetch(new URL("/failures", shop), { method: "PUT", headers, body: JSON.stringify(failures) });
    const id = await act();
    await api.over(id);
    await fetch(new URL("/failures", shop), { method: "DELETE" });
    return id;
  };
  for (const tags of [
    ["eu", "web"],
    ["us", "web"],
    ["eu", "phone"],
    ["us", "web"],
  ])
    await api.over(await order(tags));
  for (let i = 0; i < 3; i++)
    await failing({ charges: { status: 422, times: 1 } }, () => order(["us", "web"]));
  const FAILED = await failing({ reservations: { status: 422, times: 1 } }, () => order(["eu", "web"]));
  const RETRIED = await failing({ shipments: { status: 503, times: 1 } }, () => order(["eu", "web"]));
  for (const days of [2, 3, 7]) {
    const input = { email: "ada@example.com", message: "Water the plants", days };
    await api.post("/api/workflows/remind/runs", { input, tags: ["home"] });
  }
  return { FAILED, RETRIED };
}

/** Runs that wait for a decision, a click and messages; and messages of which one has no subscriber yet. */
async function seedExamples(api: Api): Promise<void> {
  const start = (workflow: string, input?: unknown) =>
    api.post(`/api/workflows/${workflow}/runs`, input === undefined ? {} : { input });
  const publish = (channel: string, payload: unknown) =>
    api.post(`/api/channels/${channel}/messages`, { payload });
  for (const [i, amount] of [1999, 4500, 12_000].entries())
    await start("approve-refund", { orderId: `order-${1001 + i}`, email: "ada@example.com", amount });
  await start("confirm-email", { email: "grace@example.com" });
  for (const cents of [900, 1200]) await start("watch-price", { sku: "PWL-01", cents });
  await start("packer");
  await pause(5_000);
  for (const cents of [1999, 1799, 1499]) await publish("prices", { sku: "PWL-01", cents });
  await publish("recalls", { sku: "PWL-02" });
  await pause(5_000);
}

async function takePictures(
  address: URL,
  pages: readonly (readonly [name: string, path: string])[],
  ids: Record<string, string>,
): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  const browser = await openBrowser();
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await browser.newPage({
      viewport: { width: 1280, height: 800 },
      colorScheme,
      reducedMotion: "reduce",
    });
    await page.goto(address.href);
    await page.getByRole("heading", { level: 1 }).waitFor();
    for (const [name, path] of pages) {
      if (colorScheme === "dark" && name !== "runs" && name !== "run") continue;
      const filled = path.replace(/[A-Z]{4,}/, (word) => ids[word] ?? word);
      await take(
        page,
        `${address.origin}/dashboard${filled}`,
        colorScheme === "dark" ? `${name}-dark` : name,
      );
    }
  }
  await browser.close();
}

async function take(page: Page, url: string, name: string): Promise<void> {
  await page.goto(url);
  await page.waitForLoadState("networkidle");
  await pause(300);
  const height = Number(await page.evaluate("document.querySelector('#app').scrollHeight"));
  const clip = { x: 0, y: 0, width: 1280, height: Math.min(740, Math.max(420, height)) };
  await page.setViewportSize({ width: 1280, height: clip.height });
  await page.screenshot({ path: join(FOLDER, `${name}.png`), clip });
}

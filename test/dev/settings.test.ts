import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";

const production = readConfig({ config: "wrangler.toml" });
const bench = readConfig({ config: "bench/wrangler.toml" });

test("the workerd of the tests and of wrangler dev knows the compatibility date of wrangler.toml", () => {
  const { compatibilityDate } = createRequire(createRequire(import.meta.url).resolve("miniflare"))("workerd");
  expect(production.compatibility_date).toMatch(/^\d{4}-\d\d-\d\d$/);
  expect(production.compatibility_date <= compatibilityDate).toBe(true);
});

test("the tests and wrangler dev run one and the same Miniflare", () => {
  const ours = JSON.parse(readFileSync("package.json", "utf8")).devDependencies;
  const wrangler = JSON.parse(readFileSync("node_modules/wrangler/package.json", "utf8"));
  expect(wrangler.version).toBe(ours.wrangler);
  expect(ours.miniflare).toBe(wrangler.dependencies.miniflare);
});

test("the benchmark runs with the settings of production that bear on speed", () => {
  expect(bench.compatibility_date).toBe(production.compatibility_date);
  expect(production.compatibility_flags).toEqual(expect.arrayContaining(bench.compatibility_flags));
  const [consumer] = production.queues.consumers ?? [];
  expect(bench.queues.consumers).toEqual([
    { ...consumer, max_retries: undefined, dead_letter_queue: undefined },
  ]);
});

test("a batch of wake-ups never needs more invocations than the platform grants one request", () => {
  expect(production.queues.consumers?.[0]?.max_batch_size).toBeLessThanOrEqual(30);
});

test("every queue of wake-ups is consumed, and in the same way", () => {
  const producers: readonly { binding: string; queue: string }[] = production.queues.producers ?? [];
  const consumers: readonly { queue: string }[] = production.queues.consumers ?? [];
  const names = producers.filter(({ binding }) => binding.startsWith("WAKE_UPS")).map(({ queue }) => queue);
  expect(names).toContain("pawl-wake-ups");
  const consumed = names.map((name) => consumers.find(({ queue }) => queue === name));
  expect(consumed).toEqual(names.map((queue) => ({ ...consumers[0], queue })));
});

test("the queue has a dead-letter queue, and cron and assets are set", () => {
  expect(production.queues.consumers?.[0]?.dead_letter_queue).toBe("pawl-wake-ups-dead");
  expect(production.triggers.crons).toEqual(["* * * * *"]);
  expect(production.assets?.directory).toBe("dashboard/dist");
  expect(production.observability?.enabled).toBe(true);
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { findQueues } from "../../src/queue/queues.ts";

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
  const queues = wakeUpQueuesOf(production);
  expect(queues.map(({ binding }) => binding)).toContain("WAKE_UPS");
  for (const { consumer } of queues) expect(consumer).toEqual(queues[0]?.consumer);
});

test("what docs/scaling.md tells to add is one more queue, consumed in the same way", () => {
  const stanzas = /```toml\n(.*?)```/s.exec(readFileSync("docs/scaling.md", "utf8"))?.[1];
  const [first, second, ...more] = wakeUpQueuesOf(
    configOf(`${readFileSync("wrangler.toml", "utf8")}\n${stanzas}`),
  );
  expect(second).toEqual({ binding: "WAKE_UPS_2", consumer: first?.consumer });
  expect(more).toEqual([]);
  const bindings = Object.fromEntries([first, second].map((queue) => [queue?.binding, { sendBatch() {} }]));
  expect(findQueues(bindings)).toHaveLength(2);
});

test("the queue has a dead-letter queue, and cron, agenda and assets are set", () => {
  expect(production.queues.consumers?.[0]?.dead_letter_queue).toBe("pawl-wake-ups-dead");
  expect(production.triggers.crons).toEqual(["* * * * *"]);
  expect(production.assets?.directory).toBe("dashboard/dist");
  // Without an id: wrangler makes the namespace with the first deploy, and finds it again.
  expect(production.kv_namespaces).toEqual([{ binding: "AGENDA" }]);
  expect(production.observability?.enabled).toBe(true);
});

type Config = ReturnType<typeof readConfig>;

/** The producers of wake-ups, each with the settings of its queue's consumer; undefined where there is none. */
function wakeUpQueuesOf({ queues }: Config): { binding: string; consumer: object | undefined }[] {
  const producers: readonly { binding: string; queue: string }[] = queues.producers ?? [];
  const consumers: readonly { queue: string }[] = queues.consumers ?? [];
  return producers
    .filter(({ binding }) => binding.startsWith("WAKE_UPS"))
    .map(({ binding, queue: name }) => {
      const found = consumers.find(({ queue }) => queue === name);
      return { binding, consumer: found && { ...found, queue: undefined } };
    });
}

function configOf(toml: string): Config {
  const folder = mkdtempSync(join(tmpdir(), "pawl-settings-"));
  try {
    const config = join(folder, "wrangler.toml");
    writeFileSync(config, toml);
    return readConfig({ config });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

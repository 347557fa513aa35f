/** The worker in a real workerd, with queues whose brokers the test owns. */
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { unstable_readConfig as readConfig } from "wrangler";
import { bundleWorker } from "../../scripts/support/bundle.ts";
import { type Broker, type QueueResult, startBroker } from "./broker.ts";
import { childrenOf } from "./processes.ts";
import { eventually } from "./waiting.ts";

export const TOKEN = "test-token-0123456789abcdef";

export interface TestWorker {
  /** That of its first queue. */
  readonly broker: Broker;
  /** One for each of its queues. */
  readonly brokers: readonly Broker[];
  /** Where it listens, for requests that `fetch` would tidy up. */
  readonly url: URL;
  /** How often it was killed. */
  readonly kills: number;
  /** False from a kill to the restart after it. */
  readonly alive: boolean;
  /** The lines that it has logged since it was last started, in their order. */
  readonly logs: string[];
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** POST with JSON and the admin token; answers status and parsed body. */
  post(
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: never }>;
  get(path: string): Promise<{ status: number; body: never }>;
  /** What the cron trigger does; `scheduled` is the time for which it was meant. */
  tick(scheduled?: Date): Promise<void>;
  /** The agenda's namespace. */
  agenda(): Promise<KVNamespace>;
  /** Resolves once nothing that a queue message set going is under way any more. */
  idle(): Promise<void>;
  /** kill -9 of workerd, whatever it is doing. The broker keeps its messages until the restart. */
  kill(): void;
  /** SIGSTOP, or SIGCONT: a worker that is paused and comes back as a zombie. */
  pause(): void;
  resume(): void;
  /** A new workerd in place of the old one, with other settings where some are given. */
  restart(options?: {
    readonly vars?: Readonly<Record<string, string>>;
    /** Leaves it to the test when the broker hands over messages again. */
    readonly paused?: boolean;
  }): Promise<void>;
  stop(): Promise<void>;
}

export interface WorkerOptions {
  /** The worker's main module. */
  readonly entry: string;
  readonly databaseUrl: string;
  readonly gateway: string;
  readonly vars?: Readonly<Record<string, string>>;
  /** Whether it has an agenda: a KV namespace in memory, that the test reaches too. */
  readonly hasAgenda?: boolean | undefined;
  /** The folder of the dashboard's files, served as `wrangler.toml` says; none without it. */
  readonly assets?: string | undefined;
  /** How many queues carry its wake-ups; one without it. */
  readonly queues?: number | undefined;
}

/** Of all workers that this process started, so that each knows its own. */
const pids = new Set<number>();

export async function startWorker(options: WorkerOptions): Promise<TestWorker> {
  const script = await bundleWorker(options.entry);
  let mf: Miniflare;
  let url: URL;
  let pid = 0;
  let kills = 0;
  let alive = false;
  let logs: string[] = [];
  let fetcher: Awaited<ReturnType<Miniflare["getWorker"]>>;
  /**
   * Set while workerd is paused: Miniflare asks it for what it can do in a way that blocks this very process, which
   * could then never resume it.
   */
  let frozen: PromiseWithResolvers<void> | undefined;
  const thaw = () => {
    frozen?.resolve();
    frozen = undefined;
  };
  const brokers: Broker[] = [];
  for (let i = 1; i <= (options.queues ?? 1); i++) {
    const queue = i === 1 ? "pawl-wake-ups" : `pawl-wake-ups-${i}`;
    const broker = await startBroker(async (messages) => {
      while (frozen !== undefined) await frozen.promise;
      return (await fetcher.queue(queue, messages as never)) as unknown as QueueResult;
    });
    brokers.push(broker);
  }
  const workerOptions = (vars: Readonly<Record<string, string>> = {}) =>
    convertV4MiniflareOptions({
      name: "pawl",
      modules: [{ type: "ESModule", path: "worker.mjs", contents: script }],
      compatibilityDate: "2026-10-23",
      compatibilityFlags: [
        "nodejs_compat",
        "queue_consumer_no_wait_for_wait_until",
        "no_handle_cross_request_promise_resolution",
      ],
      unsafeTriggerHandlers: true,
      ...(options.assets !== undefined && { assets: assetsOf(options.assets) }),
      ...(options.hasAgenda && { kvNamespaces: ["AGENDA"] }),
      bindings: {
        DATABASE_URL: options.databaseUrl,
        NEON_LOCAL: options.gateway,
        PAWL_ADMIN_TOKEN: TOKEN,
        PAWL_CONSUMER_WAIT_MS: "0",
        BROKER_URLS: brokers.map(({ url }) => url).join(" "),
        ...options.vars,
        ...vars,
      },
      // What tests break on purpose is told here; it would drown what went wrong by itself.
      handleStructuredLogs: ({ message }: { message: string }) => {
        logs.push(message);
        if (process.env.WORKER_LOGS) console.error(message);
      },
    } as never);
  const adopt = async () => {
    url = await mf.ready;
    const found = childrenOf(process.pid, "workerd").find((child) => !pids.has(child));
    if (found === undefined) throw new Error("workerd is not among the children of this process");
    pids.delete(pid);
    pids.add(found);
    pid = found;
    alive = true;
    thaw();
    fetcher = await mf.getWorker();
  };
  mf = new Miniflare(workerOptions());
  await adopt();
  const call = async (path: string, init: RequestInit = {}) => {
    const response = await mf.dispatchFetch(`http://pawl.test${path}`, {
      ...init,
      headers: { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string> | undefined) },
    } as never);
    return response as unknown as Response;
  };
  const json = async (response: Response) => ({
    status: response.status,
    body: (await response.json()) as never,
  });
  return {
    get broker() {
      const [first] = brokers;
      if (first === undefined) throw new Error("the worker has no queue");
      return first;
    },
    brokers,
    get url() {
      return url;
    },
    get kills() {
      return kills;
    },
    get alive() {
      return alive;
    },
    get logs() {
      return logs;
    },
    fetch: call,
    get: async (path) => json(await call(path)),
    post: async (path, body, headers = {}) =>
      json(
        await call(path, {
          method: "POST",
          headers: { "content-type": "application/json", ...headers },
          body: body === undefined ? "" : JSON.stringify(body),
        }),
      ),
    async tick(scheduled = new Date()) {
      while (frozen !== undefined) await frozen.promise;
      await fetcher.scheduled({ cron: "* * * * *", scheduledTime: scheduled });
    },
    agenda: async () => (await mf.getKVNamespace("AGENDA")) as unknown as KVNamespace,
    async idle() {
      await eventually("the worker is idle", async () => (await (await call("/under-way")).json()) === 0);
    },
    kill() {
      // Its number may be another process's by now.
      if (!alive) return;
      for (const broker of brokers) broker.pause();
      process.kill(pid, "SIGKILL");
      kills += 1;
      alive = false;
    },
    pause() {
      process.kill(pid, "SIGSTOP");
      frozen ??= Promise.withResolvers();
    },
    resume() {
      process.kill(pid, "SIGCONT");
      thaw();
    },
    async restart({ vars, paused = false } = {}) {
      for (const broker of brokers) broker.abandon();
      logs = [];
      await mf.setOptions(workerOptions(vars));
      await adopt();
      if (!paused) for (const broker of brokers) broker.resume();
    },
    async stop() {
      for (const broker of brokers) await broker.stop();
      await mf.dispose();
      pids.delete(pid);
    },
  };
}

function assetsOf(directory: string) {
  const { assets } = readConfig({ config: "wrangler.toml" });
  const { binding, run_worker_first, not_found_handling } = assets ?? {};
  const routerConfig = { has_user_worker: true };
  return { directory, binding, run_worker_first, routerConfig, assetConfig: { not_found_handling } };
}

/** The worker in a real workerd, with a queue whose broker the test owns. */
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { type Broker, startBroker } from "./broker.ts";
import { childrenOf } from "./processes.ts";

export const TOKEN = "test-token-0123456789abcdef";

export interface TestWorker {
  readonly broker: Broker;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** POST with JSON and the admin token; answers status and parsed body. */
  post(
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: never }>;
  get(path: string): Promise<{ status: number; body: never }>;
  /** What the cron trigger does. */
  tick(): Promise<void>;
  /** kill -9 of workerd, whatever it is doing. */
  kill(): void;
  /** SIGSTOP, or SIGCONT: a worker that is paused and comes back as a zombie. */
  pause(): void;
  resume(): void;
  /** A new workerd in place of the killed one. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface WorkerOptions {
  /** The worker's main module. */
  readonly entry: string;
  readonly databaseUrl: string;
  readonly gateway: string;
  readonly vars?: Readonly<Record<string, string>>;
}

export async function startWorker(options: WorkerOptions): Promise<TestWorker> {
  const script = await bundle(options.entry);
  let mf: Miniflare;
  const broker = await startBroker(async (messages) =>
    (await mf.getWorker()).queue("pawl-wake-ups", messages as never),
  );
  const workerOptions = () =>
    convertV4MiniflareOptions({
      name: "pawl",
      modules: [{ type: "ESModule", path: "worker.mjs", contents: script }],
      compatibilityDate: "2026-10-23",
      compatibilityFlags: ["nodejs_compat", "queue_consumer_no_wait_for_wait_until"],
      unsafeTriggerHandlers: true,
      bindings: {
        DATABASE_URL: options.databaseUrl,
        NEON_LOCAL: options.gateway,
        PAWL_ADMIN_TOKEN: TOKEN,
        PAWL_CONSUMER_WAIT_MS: "0",
        BROKER_URL: broker.url,
        ...options.vars,
      },
    } as never);
  mf = new Miniflare(workerOptions());
  await mf.ready;
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
    broker,
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
    async tick() {
      await (await mf.getWorker()).scheduled({ cron: "* * * * *" });
    },
    kill: () => signal("SIGKILL"),
    pause: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    async restart() {
      await mf.setOptions(workerOptions());
      await mf.ready;
    },
    async stop() {
      await broker.stop();
      await mf.dispose();
    },
  };
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "import"],
    external: ["cloudflare:*", "node:*"],
  });
  return outputFiles[0]?.text ?? "";
}

/** To every workerd that this process started. */
function signal(name: NodeJS.Signals): void {
  for (const pid of childrenOf(process.pid, "workerd")) process.kill(pid, name);
}

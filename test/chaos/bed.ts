/** All that the chaos runs on: several workers on one Postgres of its own, and everything that can be broken between them. */
import { startGateway } from "../../scripts/gateway.ts";
import { answersAgain, type Cluster, createCluster } from "../support/cluster.ts";
import type { TestDatabase } from "../support/database.ts";
import { type FaultyGateway, startFaultyGateway } from "../support/faulty-gateway.ts";
import { type Ledger, startLedger } from "../support/ledger.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { eventually } from "../support/waiting.ts";
import { startWorker, type TestWorker } from "../support/worker.ts";
import { installAudit } from "./audit.ts";
import { ACCOUNTS } from "./samples.ts";

export interface Bed {
  readonly cluster: Cluster;
  readonly database: TestDatabase;
  /** Every exchange of every worker with the database goes through it. */
  readonly gateway: FaultyGateway;
  /** The transactions of workflows go through it, and the gateway's connections. */
  readonly proxy: PostgresProxy;
  readonly ledger: Ledger;
  readonly receiver: Receiver;
  readonly workers: readonly TestWorker[];
  /** Ids of the events that the receiver has said yes to, in the order of its answers. */
  readonly accepted: string[];
  /** True once the clock has gone backwards, however little. */
  readonly clockWentBack: boolean;
  moveClock(ms: number): Promise<void>;
  /** One worker at a time, so that each finds its own new process. */
  restart(worker: TestWorker): Promise<void>;
  stop(): Promise<void>;
}

/** Short, so that a worker frozen for seconds comes back as a zombie. */
export const LEASE_MS = 3_000;

const SETTINGS = {
  PAWL_LEASE_MS: String(LEASE_MS),
  PAWL_WAKE_UP_GRACE_MS: "2000",
  PAWL_DATABASE_TIMEOUT_MS: "4000",
  // Faults come a thousand times as often as on a bad day, and none of them may cost a healthy run its life.
  PAWL_LOST_TURN_LIMIT: "1000",
};

const SECRET = `whsec_${Buffer.from("a secret of thirty-two bytes or so").toString("base64")}`;

export async function createBed(workers: number): Promise<Bed> {
  const neon = await startGateway();
  const cluster = await createCluster(neon.host);
  const { database } = cluster;
  await installAudit(database, ACCOUNTS);
  const proxy = await startPostgresProxy(database.url);
  const gateway = await startFaultyGateway(neon.host, { remembers: "nothing" });
  const ledger = await startLedger();
  const receiver = await startReceiver();
  // A sink that refuses for a while must not lose an event for good.
  const sinks = [
    { name: "outside", type: "webhook", url: `${receiver.url}/events`, secrets: [SECRET], attempts: 100 },
  ];
  const started: TestWorker[] = [];
  for (let i = 0; i < workers; i++) {
    const worker = await startWorker({
      entry: "test/chaos/worker.ts",
      databaseUrl: proxy.url,
      gateway: gateway.host,
      vars: { ...SETTINGS, LEDGER_URL: ledger.url, PAWL_EVENT_SINKS: JSON.stringify(sinks) },
    });
    started.push(worker);
  }
  let clockWentBack = false;
  let turn: Promise<unknown> = Promise.resolve();
  const oneByOne = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => {});
    return done;
  };
  return {
    cluster,
    database,
    gateway,
    proxy,
    ledger,
    receiver,
    workers: started,
    accepted: [],
    get clockWentBack() {
      return clockWentBack;
    },
    moveClock: (ms) =>
      oneByOne(async () => {
        clockWentBack ||= ms < 0;
        // What was moved while Postgres was away is made good once it is back.
        await database.moveClock(ms).catch(async () => {
          await answersAgain(database);
          await eventually("the clock is moved", () => database.moveClock(0).then(() => true));
        });
      }),
    restart: (worker) => oneByOne(() => worker.restart()),
    async stop() {
      for (const worker of started) await worker.stop();
      await gateway.stop();
      await neon.stop();
      await proxy.stop();
      await ledger.stop();
      await receiver.stop();
      await database.drop();
    },
  };
}

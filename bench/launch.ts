/** The other side of `child.ts`: starts it and asks it. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnGuarded, stopGroup } from "../scripts/support/guard.ts";
import type { Answer, Opening, Question } from "./child.ts";
import type { Bed, Outcome } from "./system.ts";

export interface Launched extends Bed {
  readonly pid: number;
  tick(): Promise<void>;
  /** Since it was opened; 0 unless they are counted. */
  roundTrips(): Promise<number>;
}

/** Longer than the longest workload of the slowest system takes. */
const PATIENCE_MS = 300_000;
const CLOSING_PATIENCE_MS = 20_000;

export async function launch(opening: Opening): Promise<Launched> {
  const child = spawnGuarded(process.execPath, [join(import.meta.dirname, "child.ts")], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    // Deprecations in packages of others.
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
    lastSignal: "SIGTERM",
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let ended: string | undefined;
  child.on("message", ({ id, value, error }: Answer) => {
    const { resolve, reject } = waiting.get(id) ?? Promise.withResolvers<unknown>();
    waiting.delete(id);
    if (error === undefined) resolve(value);
    else reject(new Error(error));
  });
  child.once("exit", (code, signal) => {
    ended = `its process ended (${signal ?? `exit code ${code}`})`;
    for (const { reject } of waiting.values()) reject(new Error(ended));
  });

  let questions = 0;
  const ask = (question: Question): Promise<unknown> => {
    if (ended !== undefined) return Promise.reject(new Error(ended));
    const id = ++questions;
    const answer = Promise.withResolvers<unknown>();
    waiting.set(id, answer);
    child.send({ ...question, id });
    return withPatience(answer.promise, question.verb);
  };
  const close = async () => {
    await ask({ verb: "close" }).catch(() => {});
    // Nothing is open in it any more, or it does not answer.
    await stopGroup(child, "SIGKILL");
  };

  try {
    await ask({ verb: "open", value: opening });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    pid: child.pid ?? 0,
    run: (work) => ask({ verb: "run", value: work }) as Promise<Outcome>,
    tick: async () => void (await ask({ verb: "tick" })),
    roundTrips: () => ask({ verb: "roundTrips" }) as Promise<number>,
    close,
  };
}

async function withPatience<T>(answer: Promise<T>, verb: string): Promise<T> {
  const patience = verb === "close" ? CLOSING_PATIENCE_MS : PATIENCE_MS;
  const impatience = new AbortController();
  const late = sleep(patience, undefined, { signal: impatience.signal, ref: false }).then(() => {
    throw new Error(`"${verb}" took longer than ${patience / 1_000} s`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([answer, late]);
  } finally {
    impatience.abort();
  }
}

/** The queues that carry wake-ups: `WAKE_UPS`, and as many as there are of `WAKE_UPS_2`, `WAKE_UPS_3` and so on. */
import type { WakeUpMessage } from "./message.ts";

export interface WakeUpQueue {
  /** The name of its binding. */
  readonly binding: string;
  readonly queue: Queue<WakeUpMessage>;
}

const FIRST = "WAKE_UPS";
const FURTHER = /^WAKE_UPS_([2-9]|[1-9]\d+)$/;
/** What was meant as one of them: `WAKE_UPS2`, `WAKE_UPS_1`, `WAKE_UPS_03`. */
const MISSPELLED = /^WAKE_UPS_?\d+$/;

/** In the order of their numbers, which may have gaps. Throws a `TypeError` that says what is wrong with which binding. */
export function findQueues(bindings: object): WakeUpQueue[] {
  const names = Object.keys(bindings);
  const misspelled = names.find((name) => MISSPELLED.test(name) && !FURTHER.test(name));
  if (misspelled !== undefined) {
    throw new TypeError(
      `The binding ${misspelled} would carry no wake-ups: the queues after ${FIRST} are called ${FIRST}_2, ${FIRST}_3 and so on.`,
    );
  }
  const further = names.filter((name) => FURTHER.test(name)).sort((a, b) => numberOf(a) - numberOf(b));
  return [FIRST, ...further].map((binding) => {
    const queue = (bindings as Readonly<Record<string, unknown>>)[binding];
    if (isQueue(queue)) return { binding, queue };
    const problem = queue === undefined ? "is missing" : "is not a queue";
    throw new TypeError(
      `The binding ${binding} ${problem}: wrangler.toml must name its queue under [[queues.producers]].`,
    );
  });
}

function numberOf(binding: string): number {
  return Number(FURTHER.exec(binding)?.[1]);
}

function isQueue(binding: unknown): binding is Queue<WakeUpMessage> {
  return typeof (binding as Partial<Queue> | null | undefined)?.sendBatch === "function";
}

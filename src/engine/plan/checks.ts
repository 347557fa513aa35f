/** What a step call must look like to be recorded. */
import { durationMs } from "../duration.ts";
import { InvalidStep } from "../errors.ts";
import type { MapOptions, StepOptions } from "../workflow.ts";

const STEP_NAME_LIMIT = 200;

export function checkName(name: unknown): void {
  if (typeof name !== "string" || name === "")
    throw new InvalidStep("A step needs a name: a non-empty string.");
  if (name.length > STEP_NAME_LIMIT) {
    throw new InvalidStep(`Step name "${name.slice(0, 40)}…" is longer than ${STEP_NAME_LIMIT} characters.`);
  }
  if (name.includes("#") || !isStorable(name)) {
    throw new InvalidStep(
      `Step name ${JSON.stringify(name)} must not hold "#" (it numbers repeats), U+0000 or half a surrogate pair.`,
    );
  }
  if (/\[\d+\]$/.test(name)) {
    throw new InvalidStep(`Step name "${name}" must not end like "[7]", which numbers the items of a map.`);
  }
}

/** Text that Postgres can store. */
function isStorable(text: string): boolean {
  return !text.includes("\u0000") && text.isWellFormed();
}

const TAGS_LIMIT = 20;
const TAG_LIMIT = 100;

/** What a child is to be found by. */
export function checkTags(name: string, tags: unknown): void {
  if (tags === undefined) return;
  const isTag = (tag: unknown) =>
    typeof tag === "string" && tag !== "" && tag.length <= TAG_LIMIT && isStorable(tag);
  if (!Array.isArray(tags) || tags.length > TAGS_LIMIT || !tags.every(isTag)) {
    throw new InvalidStep(
      `Step "${name}": tags must be at most ${TAGS_LIMIT} texts of 1 to ${TAG_LIMIT} characters, without U+0000 or half ` +
        "a surrogate pair.",
    );
  }
}

/** The name of a channel, a group, a signal or a key of the run's state. */
export function checkLabel(what: string, label: unknown): void {
  if (typeof label !== "string" || label === "" || label.length > 100) {
    throw new InvalidStep(`${what} needs a name of 1 to 100 characters.`);
  }
  if (label.includes("#") || !isStorable(label)) {
    throw new InvalidStep(
      `${what} ${JSON.stringify(label)} must not hold "#", U+0000 or half a surrogate pair.`,
    );
  }
}

export function checkFunction(name: string, given: unknown): void {
  if (typeof given !== "function") throw new InvalidStep(`Step "${name}" needs a function to run.`);
}

export function checkOptions(name: string, options: StepOptions<never>): void {
  const { retry, timeout, heartbeat, atMostOnce, compensate } = options;
  if (timeout !== undefined) durationMs(timeout);
  if (heartbeat !== undefined) durationMs(heartbeat);
  if (retry?.delay !== undefined) durationMs(retry.delay);
  if (retry?.maxDelay !== undefined) durationMs(retry.maxDelay);
  const backoff = retry?.backoff;
  const paces = ["exponential", "fixed"];
  if (backoff !== undefined && typeof backoff !== "function" && !paces.includes(backoff)) {
    throw new InvalidStep(
      `Step "${name}": retry.backoff must be "exponential", "fixed" or a function, not "${backoff}".`,
    );
  }
  const most = retry?.maxAttempts;
  if (most !== undefined && !(Number.isInteger(most) && most >= 1)) {
    throw new InvalidStep(`Step "${name}": retry.maxAttempts must be a whole number from 1, not ${most}.`);
  }
  if (compensate !== undefined && typeof compensate !== "function") {
    throw new InvalidStep(`Step "${name}": compensate must be a function.`);
  }
  if (atMostOnce === true && most !== undefined && most > 1) {
    throw new InvalidStep(`Step "${name}": a step that runs at most once cannot have ${most} attempts.`);
  }
}

/** The most items of one map that may be under way at once. */
const CONCURRENCY_LIMIT = 1_000;
const CONCURRENCY_DEFAULT = 100;

/** How many items may be under way at once. */
export function concurrencyOf(
  name: string,
  { concurrency = CONCURRENCY_DEFAULT }: MapOptions<never>,
): number {
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > CONCURRENCY_LIMIT) {
    throw new InvalidStep(
      `Step "${name}": concurrency must be a whole number from 1 to ${CONCURRENCY_LIMIT}, not ${concurrency}.`,
    );
  }
  return concurrency;
}

export function checkTolerance(name: string, tolerate: unknown): void {
  if (tolerate !== undefined && !(Number.isInteger(tolerate) && (tolerate as number) >= 0)) {
    throw new InvalidStep(`Step "${name}": tolerate must be a whole number from 0, not ${tolerate}.`);
  }
}

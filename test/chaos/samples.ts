/** What the chaos starts, and what a run with such an input must come to, whatever happens to it. */
import type { RunStatus } from "../../src/engine/run.ts";
import type { Dice } from "./dice.ts";

export interface Sample {
  /** How often it is chosen, against the others. */
  readonly weight: number;
  /** `made` is different for every one, for names that nobody else may have. */
  input(dice: Dice, made: number): unknown;
  /** Whether the output is what a run with that input must return. */
  isRight(output: never, input: never): boolean;
  /** How one ends that nobody cancels; completed, unless said. */
  ends?(input: never): RunStatus;
  /** Needs a partner with the same input, so it is neither cancelled nor run again. */
  readonly partner?: string;
}

const range = (length: number) => Array.from({ length }, (_, i) => i);
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
const sumTo = (n: number) => (n * (n + 1)) / 2;

export const MINUTE_MS = 60_000;
export const ACCOUNTS = 8;
export const GROUPS = 4;
const UUID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

export const SAMPLES: Readonly<Record<string, Sample>> = {
  chain: {
    weight: 6,
    // Some are long enough to be kept warm, which begins at 16 entries.
    input: (dice) => ({ steps: dice(8) === 0 ? 24 : 2 + dice(4), failures: dice(3) }),
    isRight: (output: number, input: { steps: number }) => output === sumTo(input.steps),
  },
  fan: {
    weight: 3,
    input: (dice) => ({ width: 1 + dice(4), items: 1 + dice(8), concurrency: 1 + dice(4) }),
    isRight: (output, input: { width: number; items: number }) =>
      same(output, { parts: range(input.width), doubled: range(input.items).map((i) => i * 2) }),
  },
  nap: {
    weight: 4,
    input: (dice) => ({ ms: dice(3) === 0 ? (1 + dice(40)) * MINUTE_MS : dice(1_500) }),
    isRight: (output: { uuid: string }) => UUID.test(output.uuid),
  },
  approval: {
    weight: 4,
    input: (dice) => ({ signals: 1 + dice(3), timeoutMs: dice(2) === 0 ? dice(500) : 20 * MINUTE_MS }),
    isRight: ({ got, extra }: { got: string[]; extra: null }, input: { signals: number }) =>
      got.length === input.signals && new Set(got).size === got.length && extra === null,
  },
  leaf: {
    weight: 1,
    input: (dice) => ({ number: dice(100) }),
    isRight: (output: number, input: { number: number }) => output === input.number,
  },
  family: {
    weight: 2,
    input: (dice) => ({ children: 1 + dice(3), depth: dice(3) }),
    isRight: (output: number, input: { children: number; depth: number }) =>
      output === sumTo(input.children) * (input.depth + 1),
  },
  transfer: {
    weight: 4,
    input: (dice) => {
      const from = dice(ACCOUNTS);
      return { from, to: (from + 1 + dice(ACCOUNTS - 1)) % ACCOUNTS, amount: 1 + dice(100) };
    },
    isRight: (output: number, input: { amount: number }) => output === input.amount,
  },
  trip: {
    weight: 3,
    input: (dice) => ({ fails: dice(2) === 0 }),
    isRight: (output) => output === "home",
    ends: (input: { fails: boolean }) => (input.fails ? "failed" : "completed"),
  },
  listener: {
    weight: 2,
    input: (dice, made) => ({ channel: `channel ${made}`, messages: 1 + dice(5) }),
    isRight: (output, input: { messages: number }) => same(output, range(input.messages)),
    partner: "publisher",
  },
  publisher: {
    weight: 0,
    input: () => undefined,
    isRight: (output: number, input: { messages: number }) => output === input.messages,
    partner: "listener",
  },
  member: {
    weight: 2,
    input: (dice) => ({ group: `group ${dice(GROUPS)}` }),
    isRight: (output) => output === "gone",
  },
  counter: {
    weight: 2,
    input: (dice) => ({ at: 1, until: 1 + dice(5) }),
    isRight: (output, input: { at: number; until: number }) =>
      output === (input.at < input.until ? null : input.at),
  },
  charge: {
    weight: 2,
    input: () => ({}),
    isRight: (output) => output === "charged" || output === "by hand",
  },
  herald: {
    weight: 2,
    input: (dice) => ({ events: 1 + dice(5) }),
    isRight: (output: number, input: { events: number }) => output === input.events,
  },
  fragile: { weight: 1, input: () => ({}), isRight: (output) => output === "whole" },
};

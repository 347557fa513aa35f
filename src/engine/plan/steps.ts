/** What a workflow is given as `step` and `run`: each call checks what it is given and becomes an ask. */
import { encode } from "../codec.ts";
import { type Duration, durationMs } from "../duration.ts";
import type { Performance, When, Work } from "../edge.ts";
import { InvalidStep } from "../errors.ts";
import { toCloudEvent } from "../event.ts";
import type { EntryKind } from "../journal.ts";
import type { Addresses, Tools } from "../platform.ts";
import type { ClaimedRun } from "../run.ts";
import {
  type ChildOptions,
  type Hook,
  ISOLATIONS,
  type MapOptions,
  type StepOptions,
  type Steps,
  type WaitOptions,
  type Workflow,
} from "../workflow.ts";
import { type Asker, type Compensator, effectOnly, type InstantAsk, type WaitAsk } from "./ask.ts";
import {
  checkFunction,
  checkLabel,
  checkOptions,
  checkTags,
  checkTolerance,
  concurrencyOf,
} from "./checks.ts";
import { MapProgress } from "./map.ts";

type AnyOptions = MapOptions<never> & { readonly tolerate?: number };
type AnyWaitOptions = WaitOptions<unknown> & { readonly timeout?: Duration; readonly signal?: string };

const HOOK_LIFE = "30 days";

/** What the platform does fails only while the database cannot be asked; what it refuses is not tried again. */
const PLATFORM: StepOptions<never> = { retry: { maxAttempts: 30 } };

/** What a graph asks for besides what every workflow can. */
export interface GraphSteps extends Steps {
  /** Parks the run until a signal named after the gate arrives; `LAPSED` on timeout. */
  gate(name: string, timeout: Duration | undefined): Promise<unknown>;
  /** Journals that nobody needs to open the gate any more. */
  skipGate(name: string): Promise<void>;
  /** What is appended next, as the request that was stored; `withdraw` when nothing can be any more. */
  appended(): { readonly request: Promise<unknown>; readonly withdraw: () => void };
}

/** What a gate gives that nobody opened in time: a signal may carry null. */
export const LAPSED = Symbol("lapsed");

/** By this name appended steps reach their run. */
export const GRAPH = "graph";

/**
 * `succeed` is told the input of the run that goes on in this one's place, `withdraw` the key of what is no longer
 * asked for.
 */
export function stepsOf(
  run: ClaimedRun,
  ask: Asker,
  addresses: Addresses,
  succeed: (input: unknown) => void,
  withdraw: (key: string) => void,
): GraphSteps {
  const step = (name: string, options: StepOptions<never>, work: Work, entry: EntryKind = "step") =>
    ask<never>(name, (key) => {
      checkOptions(name, options);
      return { kind: "step", entry, key, work, options: performanceOf(options), compensate: undo(options) };
    });

  const wait = (name: string, on: WaitAsk["on"], awaited: string | null, options: AnyWaitOptions) =>
    ask<never>(name, (key) => {
      const { timeout, schema } = options;
      return { kind: "wait", on, key, name: awaited, due: spanOf(timeout), schema };
    });

  const instant = (
    name: string,
    entry: EntryKind,
    rest: (key: string) => Omit<InstantAsk, "kind" | "entry" | "key">,
  ) => ask<never>(name, (key) => ({ kind: "instant", entry, key, ...rest(key) }));

  /** A value that the first turn finds and every replay sees again. */
  const value = (name: string, find: (tools: Tools) => unknown) =>
    instant(name, "value", () => ({
      settle: (tools) => ({ output: encode(find(tools), `The value of "${name}"`), effects: [] }),
    }));

  const started = (name: string, workflow: Workflow<never>, input: unknown, options: ChildOptions) => {
    if (typeof workflow?.run !== "function") {
      throw new InvalidStep(`Step "${name}" needs a workflow made by defineWorkflow.`);
    }
    checkTags(name, options.tags);
    if (options.delay !== undefined) durationMs(options.delay);
    if (options.deadline !== undefined) durationMs(options.deadline);
    return { workflow, input, options };
  };

  return {
    run: (name, body, options = {}) => {
      const given = checked(() => checkFunction(name, body));
      return given ?? step(name, options as StepOptions<never>, { by: "body", body });
    },
    transaction: (name, body, options = {}) => {
      const { isolation } = options;
      const given = checked(() => {
        checkFunction(name, body);
        if (isolation !== undefined && !ISOLATIONS.includes(isolation)) {
          throw new InvalidStep(`Step "${name}": isolation must be one of ${ISOLATIONS.join(", ")}.`);
        }
      });
      const work: Work = { by: "transaction", body, isolation };
      return given ?? step(name, options as StepOptions<never>, work, "transaction");
    },
    map: <I>(
      name: string,
      items: readonly I[],
      body: (item: I, context: never) => unknown,
      options: AnyOptions = {},
    ) =>
      ask<never>(name, (key) => {
        checkFunction(name, body);
        if (!Array.isArray(items)) throw new InvalidStep(`Step "${name}" needs an array of items.`);
        checkOptions(name, options);
        checkTolerance(name, options.tolerate);
        const progress = new MapProgress(items.length, concurrencyOf(name, options), options.tolerate);
        const work = (index: number): Work => ({
          by: "body",
          body: (context) => body(items[index] as I, { ...context, index } as never),
        });
        return {
          kind: "map",
          key,
          progress,
          work,
          options: performanceOf(options),
          compensate: undo(options),
        };
      }),
    sleep: (name, duration) =>
      ask(name, (key) => ({ kind: "sleep", key, due: { inMs: durationMs(duration) } })),
    sleepUntil: (name, date) =>
      ask(name, (key) => {
        if (!(date instanceof Date) || Number.isNaN(date.getTime())) {
          throw new InvalidStep(`Sleep "${name}" needs a valid Date to end at.`);
        }
        durationMs(Math.max(0, date.getTime() - run.startedAt));
        return { kind: "sleep", key, due: { at: date.getTime() } };
      }),
    waitForSignal: (name: string, options: AnyWaitOptions = {}) => {
      const signal = options.signal ?? name;
      return checked(() => checkLabel("A signal", signal)) ?? wait(name, "signal", signal, options);
    },
    sendSignal: (name, to, signal, payload) => {
      const refused = checked(() => checkLabel("A signal", signal));
      const act: Work = {
        by: "platform",
        act: (platform, { idempotencyKey }) => platform.send(idempotencyKey, to, signal, payload),
      };
      return refused ?? step(name, PLATFORM, act, "send");
    },
    hook: (name, { expires = HOOK_LIFE } = {}) =>
      instant(name, "hook", (key) => {
        const expiresInMs = durationMs(expires);
        return {
          settle: (tools) => effectOnly({ kind: "hook", key, digest: tools.hookDigest(key), expiresInMs }),
          restore: (): Hook => ({
            url: addresses.hookUrl(run.runId, key),
            received: (options: AnyWaitOptions = {}) =>
              wait(`${name} received`, "signal", hookSignal(key), options),
          }),
        };
      }),
    subscribe: (channel, { mode = "broadcast" } = {}) => {
      const refused = checked(() => checkLabel("A channel", channel));
      if (refused !== undefined) return refused;
      return step(
        `subscribe ${channel}`,
        PLATFORM,
        { by: "platform", act: (platform) => platform.subscribe(channel, mode) },
        "subscribe",
      );
    },
    unsubscribe: (channel) => {
      const refused = checked(() => checkLabel("A channel", channel));
      const act: Work = { by: "platform", act: (platform) => platform.unsubscribe(channel) };
      return refused ?? step(`unsubscribe ${channel}`, PLATFORM, act, "unsubscribe");
    },
    receive: (channel: string, options: AnyWaitOptions = {}) =>
      checked(() => checkLabel("A channel", channel)) ??
      wait(`receive ${channel}`, "message", channel, options),
    publish: (channel, payload, { to } = {}) => {
      const refused = checked(() => checkLabel("A channel", channel));
      const act: Work = {
        by: "platform",
        act: (platform, { idempotencyKey }) => platform.publish(idempotencyKey, channel, payload, to),
      };
      return refused ?? step(`publish ${channel}`, PLATFORM, act, "publish");
    },
    invoke: (name, workflow, input, options = {}) =>
      ask(name, (key) => {
        const child = started(name, workflow as Workflow<never>, input, options);
        return { kind: "wait", on: "child", key, name: null, due: null, child };
      }),
    start: (name, workflow, input, options = {}) =>
      instant(name, "start", (key) => {
        const child = started(name, workflow as Workflow<never>, input, options);
        return {
          settle: async (tools) => {
            const started = await tools.toNewRun(key, child, false);
            return { output: encode(started.id, "The id"), effects: [{ kind: "start", run: started }] };
          },
        };
      }),
    emit: (name, event) =>
      instant(name, "emit", (key) => {
        const stored = toCloudEvent(`${run.runId}/${encodeURIComponent(key)}`, event);
        return { settle: () => effectOnly({ kind: "emit", event: stored }) };
      }),
    now: () => value("now", (tools) => new Date(tools.now)),
    random: () => value("random", (tools) => tools.random()),
    uuid: () => value("uuid", (tools) => tools.uuid()),
    continueAsNew: (input) => {
      const refused = checked(() => void encode(input, "The input of the run that goes on"));
      if (refused !== undefined) return refused;
      succeed(input);
      return new Promise<never>(() => {});
    },
    gate: (name, timeout) =>
      ask(name, (key) => {
        checkLabel("A gate", name);
        return { kind: "wait", on: "signal", key, name, due: spanOf(timeout), lapsed: LAPSED };
      }),
    skipGate: (name) => instant(name, "value", () => ({ settle: () => ({ output: null, effects: [] }) })),
    appended: () => {
      let asked = "";
      const request = ask(GRAPH, (key) => {
        asked = key;
        return { kind: "wait", on: "mutation", key, name: GRAPH, due: null };
      });
      return { request, withdraw: () => withdraw(asked) };
    },
  };
}

/** The signal by which a hook's caller reaches the run: "#" keeps it apart from every other name. */
export function hookSignal(key: string): string {
  return `${key}#hook`;
}

function performanceOf({ retry, timeout, heartbeat, atMostOnce }: StepOptions<never>): Performance {
  return { retry: atMostOnce ? { ...retry, maxAttempts: 1 } : retry, timeout, heartbeat, atMostOnce };
}

function undo(options: StepOptions<never>): Compensator | undefined {
  return options.compensate as Compensator | undefined;
}

function spanOf(timeout: Duration | undefined): When | null {
  return timeout === undefined ? null : { inMs: durationMs(timeout) };
}

/** Calls must not throw before they are awaited: what a check throws, the call rejects with. */
function checked(check: () => void): Promise<never> | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    const refused = Promise.reject<never>(error);
    refused.catch(() => {});
    return refused;
  }
}

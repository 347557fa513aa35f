/**
 * Hears what workflows do outside their steps and a replay would do again: read the clock, draw chance, start timers,
 * do I/O. The globals for it are wrapped when this module is loaded, which must be before the workflows are, so that a
 * library which keeps one of them for itself keeps the wrapped one. They pass on what they are given and give what they
 * always gave; nothing depends on what is heard.
 *
 * Code is a workflow's when the workflow's function called it, however many awaits ago. Steps' bodies, compensators,
 * transactions and schemas are called by the turn, so they are not. What has another name is not heard, such as
 * bindings and `node:` modules. What somebody entered an AsyncLocalStorage with around a turn is not to be seen in the
 * function, which may go on in the turns of others.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { NondeterministicCall } from "./engine/errors.ts";
import { toFailure } from "./engine/failure.ts";
import type { AnyWorkflow, WorkflowContext } from "./engine/workflow.ts";

interface Call {
  readonly name: string;
  /** What a workflow uses instead. */
  readonly remedy: string;
  /** True for timers and I/O, which a workflow may come to wait for. */
  readonly takesTime: boolean;
}

const CLOCK = { remedy: "step.now()", takesTime: false };
const CHANCE = { remedy: "step.random()", takesTime: false };
const TIMER = { remedy: "step.sleep()", takesTime: true };

type Functions = Readonly<Record<string, Omit<Call, "name">>>;

/** By the object that has them. */
const FUNCTIONS: Readonly<Record<string, Functions>> = {
  Date: { now: CLOCK },
  performance: { now: CLOCK },
  Math: { random: CHANCE },
  crypto: { getRandomValues: CHANCE, randomUUID: { remedy: "step.uuid()", takesTime: false } },
  scheduler: { wait: TIMER },
  globalThis: {
    setTimeout: TIMER,
    setInterval: TIMER,
    fetch: { remedy: "step.run()", takesTime: true },
  },
};

/** Is told of a call, and of the function that was called. */
type Hear = (call: Call, by: object) => void;

/** Set in whatever a workflow's function calls: who hears of it. */
const workflowCode = new AsyncLocalStorage<Hear | undefined>();

wrapDate();
for (const [owner, functions] of Object.entries(FUNCTIONS)) wrapFunctions(owner, functions);

/** The same workflows; `warn` is told of each call once for each workflow and version. */
export function watched(
  workflows: readonly AnyWorkflow[],
  warn: (call: NondeterministicCall) => void,
): AnyWorkflow[] {
  return workflows.map((workflow) => {
    const heard = new Set<string>();
    let lastCall: string | undefined;
    const hear: Hear = ({ name, remedy, takesTime }, by) => {
      if (takesTime) lastCall = name;
      if (heard.has(name)) return;
      const warning = new NondeterministicCall(workflow, name, remedy);
      Error.captureStackTrace(warning, by as () => void);
      if (isOfRuntime(warning)) return;
      heard.add(name);
      workflowCode.run(undefined, () => warn(warning));
    };
    // One context for all runs: in workerd, one for each turn takes some 13 µs, a tenth of what replay does.
    const enter = workflowCode.run(hear, () => AsyncLocalStorage.snapshot());
    const run = (context: WorkflowContext<never>) => enter(() => workflow.run(context));
    return { ...workflow, run, lastCall: () => lastCall };
  });
}

/** Some of the runtime is written in JavaScript and uses the globals, too: in workerd `console.log` asks for the time. */
function isOfRuntime(warning: NondeterministicCall): boolean {
  const [, caller = ""] = toFailure(warning).stack?.split("\n") ?? [];
  return /\b(node|node-internal|cloudflare|cloudflare-internal):/.test(caller);
}

function wrapFunctions(owner: string, functions: Functions): void {
  const holder: unknown = Reflect.get(globalThis, owner);
  // Not every runtime has every one of them: Node has no `scheduler`.
  if (typeof holder !== "object" && typeof holder !== "function") return;
  for (const [name, call] of Object.entries(functions)) {
    const full = owner === "globalThis" ? name : `${owner}.${name}`;
    wrapFunction(holder as object, name, { ...call, name: `${full}()` });
  }
}

function wrapFunction(holder: object, name: string, call: Call): void {
  const original: unknown = Reflect.get(holder, name);
  if (typeof original !== "function") return;
  function wrapped(this: unknown, ...given: unknown[]): unknown {
    workflowCode.getStore()?.(call, wrapped);
    return Reflect.apply(original as () => unknown, this, given);
  }
  replace(holder, name, original, wrapped);
}

/** Only without arguments does it read the clock. */
function wrapDate(): void {
  const Original = Date;
  const constructed: Call = { ...CLOCK, name: "new Date()" };
  const called: Call = { ...CLOCK, name: "Date()" };
  function Wrapped(...given: unknown[]): unknown {
    if (new.target === undefined) {
      workflowCode.getStore()?.(called, Wrapped);
      return Original();
    }
    if (given.length === 0) workflowCode.getStore()?.(constructed, Wrapped);
    return Reflect.construct(Original, given, new.target);
  }
  replace(globalThis, "Date", Original, Wrapped);
  Object.defineProperty(Original.prototype, "constructor", { value: Wrapped });
}

/** Puts `wrapped` in the place of `original`, with everything that hangs on it, such as `Date.prototype`. */
function replace(holder: object, name: string, original: object, wrapped: object): void {
  Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(original));
  Reflect.defineProperty(holder, name, { value: wrapped, writable: true, configurable: true });
}

/** What a graph looks like without its bodies: which steps there are, what each waits for, what can be appended. */

/**
 * When a dependency lets its dependent go. `onSuccess`: once it has completed; one that failed or was skipped has its
 * dependent skipped. `onTerminal`: however it ended.
 */
export type Release = "onSuccess" | "onTerminal";

export interface Dependency {
  readonly step: string;
  readonly release: Release;
}

export interface ShapeStep {
  readonly name: string;
  /** True for a step that is done from outside, by a signal of its name. */
  readonly gate: boolean;
  readonly after: readonly Dependency[];
}

/** Of a graph as it was defined; what was appended to a run of it is not part of this. */
export interface GraphShape {
  readonly steps: readonly ShapeStep[];
  /** The bodies that appended steps may have. */
  readonly handlers: readonly string[];
}

/** The names of steps that wait for each other, the first one again at the end; null when there is an order. */
export function findCycle(steps: readonly ShapeStep[]): string[] | null {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const sound = new Set<string>();
  for (const step of steps) {
    // By hand instead of by recursion: a chain may be longer than the stack is deep.
    const path: { readonly name: string; readonly open: string[] }[] = [];
    const onPath = new Set<string>();
    const enter = (name: string) => {
      path.push({ name, open: byName.get(name)?.after.map((dependency) => dependency.step) ?? [] });
      onPath.add(name);
    };
    if (!sound.has(step.name)) enter(step.name);
    for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
      const next = last.open.pop();
      if (next === undefined) {
        path.pop();
        onPath.delete(last.name);
        sound.add(last.name);
      } else if (onPath.has(next)) {
        const names = path.map(({ name }) => name);
        return [...names.slice(names.indexOf(next)), next];
      } else if (!sound.has(next)) enter(next);
    }
  }
  return null;
}

/** A dependency that is written as a name alone releases as `release` says. */
export function toDependency(given: string | Partial<Dependency>, release: Release): Dependency {
  if (typeof given === "string") return { step: given, release };
  return { step: String(given.step), release: given.release ?? release };
}

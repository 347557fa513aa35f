/** What was measured: values by column and metric, and what failed. */
import type { Setting, System } from "./systems.ts";

/** A system with one of its settings. */
export interface Column {
  readonly system: System;
  readonly setting: Setting;
}

export function labelOf({ system, setting }: Column): string {
  return `${system.name}, ${setting.name}`;
}

export type Note = (metric: string, value: number) => void;

export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

export class Figures {
  readonly #values = new Map<string, number[]>();
  readonly #failures = new Map<string, Set<string>>();

  note(label: string, metric: string, value: number): void {
    const key = `${label}: ${metric}`;
    this.#values.set(key, [...(this.#values.get(key) ?? []), value]);
  }

  fail(label: string, workload: string, error: unknown): void {
    const key = `${label}: ${workload}`;
    const reason = (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
    this.#failures.set(key, (this.#failures.get(key) ?? new Set()).add(reason));
  }

  failures(label: string, workload: string): readonly string[] {
    return [...(this.#failures.get(`${label}: ${workload}`) ?? [])];
  }

  allFailures(): readonly string[] {
    return [...this.#failures].flatMap(([key, reasons]) => [...reasons].map((reason) => `${key}: ${reason}`));
  }

  spread(label: string, metric: string): Spread | undefined {
    const values = this.#values.get(`${label}: ${metric}`);
    return values === undefined ? undefined : spreadOf(values);
  }

  median(label: string, metric: string): number | undefined {
    return this.spread(label, metric)?.median;
  }
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), lowest: Math.min(...values), highest: Math.max(...values) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

/** What the command line asks for: `[--rounds N] [--steps N] [--minutes N] [--only a,b] [--out file] [W1 W2 …]`. */
import { parseArgs } from "node:util";
import type { Column } from "./figures.ts";
import { SYSTEMS, type System } from "./systems.ts";
import { TRIPS, WORKLOADS } from "./workloads.ts";

export interface Asked {
  readonly rounds: number;
  /** Of W4's run. */
  readonly steps: number;
  /** How long W5 takes. */
  readonly minutes: number;
  readonly columns: readonly Column[];
  readonly workloads: readonly string[];
  /** Everything: no part was asked for. */
  readonly whole: boolean;
  readonly out: string | undefined;
}

const NAMES = [...WORKLOADS.map(({ name }) => name), "W5", TRIPS];

export function readOptions(args: string[]): Asked {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "3" },
      steps: { type: "string", default: "2000" },
      minutes: { type: "string", default: "3" },
      only: { type: "string" },
      out: { type: "string" },
    },
  });
  const systems = values.only === undefined ? SYSTEMS : values.only.split(",").map(systemNamed);
  for (const name of positionals) refuseUnknown(name, NAMES);
  return {
    rounds: count(values.rounds),
    steps: count(values.steps),
    minutes: count(values.minutes),
    columns: systems.flatMap((system) => system.settings.map((setting) => ({ system, setting }))),
    workloads: positionals.length === 0 ? NAMES : positionals,
    whole: values.only === undefined && positionals.length === 0,
    out: values.out,
  };
}

function systemNamed(name: string): System {
  refuseUnknown(
    name,
    SYSTEMS.map((system) => system.name),
  );
  return SYSTEMS.find((system) => system.name === name) as System;
}

function refuseUnknown(name: string, known: readonly string[]): void {
  if (!known.includes(name)) throw new Error(`"${name}" is none of ${known.join(", ")}`);
}

function count(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`"${text}" is no number of times`);
  return number;
}

import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** Lines of a child: kept back until told what to do with them. A failure shows them, a good start does not. */
export class Output {
  readonly #onLine: (line: string) => void;
  #held: string[] | undefined = [];

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  read(...streams: (Readable | null)[]): void {
    for (const stream of streams) {
      if (stream !== null) createInterface({ input: stream }).on("line", (line) => this.#take(line));
    }
  }

  hold(): void {
    this.#held = [];
  }

  /** Forgets what it holds and passes on what comes. */
  drop(): void {
    this.#held = undefined;
  }

  /** Passes on what it holds and what comes. */
  pass(): void {
    for (const line of this.#held ?? []) process.stderr.write(`${line}\n`);
    this.drop();
  }

  #take(line: string): void {
    if (line.includes("GET /healthz")) return;
    if (this.#held === undefined) process.stdout.write(`${line}\n`);
    else if (line !== this.#held.at(-1)) this.#held.push(line);
    // What does not build is better seen now than after a minute.
    if (line.includes("[ERROR]")) this.pass();
    this.#onLine(line);
  }
}

/** What runs, stopped together: the last one started goes first, and the end of one is the end of all. */
export class Parts {
  readonly #stops: (() => Promise<void>)[] = [];
  #ending: Promise<never> | undefined;

  add<T extends { stop(): Promise<void> }>(part: T): T {
    this.#stops.push(() => part.stop());
    // One that became ready while the others were being stopped must not stay.
    if (this.#ending !== undefined) void part.stop();
    return part;
  }

  /** Never returns: the process ends with `code`, and `reason` is its last line if there is one. */
  end(code: number, reason?: string): Promise<never> {
    this.#ending ??= this.#end(code, reason);
    return this.#ending;
  }

  async #end(code: number, reason: string | undefined): Promise<never> {
    for (const stop of this.#stops.reverse()) await stop().catch(() => {});
    // Not before: what a part still prints while it stops would hide why it does.
    if (reason !== undefined) console.error(`pawl: ${reason}`);
    process.exit(code);
  }
}

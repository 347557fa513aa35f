/** What the chaos has asked for: the client's side of every promise, compared with the database after healing. */

/** A run that was asked for. Its key makes asking again harmless. */
export interface Asked {
  readonly workflow: string;
  readonly input: unknown;
  readonly key: string;
  /** Ids that the answers gave: one, however often it was asked. */
  readonly ids: Set<string>;
}

export class Book {
  readonly asked: Asked[] = [];
  /** Runs whose cancelling was asked for, whether it was heard or not. */
  readonly cancels = new Map<string, { plain: boolean; acknowledged: boolean }>();
  /** Signals that were acknowledged, by run. */
  readonly signals = new Map<string, Set<string>>();
  /** How often a person said that a charge must be done again, by run. */
  readonly again = new Map<string, number>();
  /** Fragile runs that are whole from now on. */
  readonly mended = new Set<string>();

  /** Those of which it is known that they are there. */
  get known(): (Asked & { readonly id: string })[] {
    return this.asked.flatMap((one) => [...one.ids].map((id) => ({ ...one, id })));
  }

  cancel(id: string, plain: boolean, acknowledged: boolean): void {
    const before = this.cancels.get(id) ?? { plain: false, acknowledged: false };
    this.cancels.set(id, {
      plain: before.plain || plain,
      acknowledged: before.acknowledged || acknowledged,
    });
  }

  signal(runId: string, signal: string): void {
    this.signals.set(runId, (this.signals.get(runId) ?? new Set()).add(signal));
  }
}

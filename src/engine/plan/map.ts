/** How far a `step.map` has come. Its items are steps with the keys `name[0]`, `name[1]` …, at most so many at once. */

const ITEM = /^(.*)\[(\d+)\]$/s;

/** The map and the index that an item's key names; null for any other key. */
export function itemOf(key: string): { readonly map: string; readonly index: number } | null {
  const match = ITEM.exec(key);
  return match?.[1] === undefined ? null : { map: match[1], index: Number(match[2]) };
}

export function itemKey(map: string, index: number): string {
  return `${map}[${index}]`;
}

export class MapProgress {
  private readonly results: (PromiseSettledResult<unknown> | undefined)[];
  private readonly concurrency: number;
  /** Undefined when none may fail, and the map gives plain outputs. */
  private readonly tolerate: number | undefined;
  private left: number;
  private failed = 0;
  /** No item below it is open. */
  private low = 0;

  constructor(items: number, concurrency: number, tolerate: number | undefined) {
    this.results = new Array(items).fill(undefined);
    this.concurrency = concurrency;
    this.tolerate = tolerate;
    this.left = items;
  }

  get size(): number {
    return this.results.length;
  }

  get isOver(): boolean {
    return this.left === 0;
  }

  /** True once more items have failed than may. */
  get isBroken(): boolean {
    return this.failed > (this.tolerate ?? 0);
  }

  /** What the map gives once it is over. */
  get output(): unknown[] {
    if (this.tolerate !== undefined) return [...this.results];
    return this.results.map((result) => (result?.status === "fulfilled" ? result.value : undefined));
  }

  isOpen(index: number): boolean {
    return index < this.size && this.results[index] === undefined;
  }

  settle(index: number, result: PromiseSettledResult<unknown>): void {
    if (this.results[index] !== undefined) return;
    this.results[index] = result;
    this.left -= 1;
    if (result.status === "rejected") this.failed += 1;
  }

  /** The items that may be under way now: the first open ones. */
  window(): number[] {
    while (this.low < this.size && this.results[this.low] !== undefined) this.low += 1;
    const open: number[] = [];
    for (let i = this.low; i < this.size && open.length < this.concurrency; i++) {
      if (this.isOpen(i)) open.push(i);
    }
    return open;
  }
}

interface Event {
  readonly at: number;
  /** Of two at the same time, the one that was asked for first comes first. */
  readonly order: number;
  readonly happen: () => void;
}

/** Simulated time, in milliseconds: what happens next is what is due first. */
export class Timeline {
  now = 0;
  /** A binary heap: nobody is due before its parent. */
  private readonly heap: Event[] = [];
  private asked = 0;

  after(ms: number, happen: () => void): void {
    this.heap.push({ at: this.now + ms, order: this.asked++, happen });
    this.rise(this.heap.length - 1);
  }

  /** Until nothing is due any more, or until then. */
  runUntil(end: number): void {
    for (let next = this.heap[0]; next !== undefined && next.at <= end; next = this.heap[0]) {
      this.removeFirst();
      this.now = next.at;
      next.happen();
    }
  }

  private removeFirst(): void {
    const last = this.heap.pop();
    if (last === undefined || this.heap.length === 0) return;
    this.heap[0] = last;
    this.sink();
  }

  private rise(from: number): void {
    for (let i = from; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.isBefore(i, parent)) return;
      this.swap(i, parent);
      i = parent;
    }
  }

  private sink(): void {
    for (let i = 0; ; ) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      const child = right < this.heap.length && this.isBefore(right, left) ? right : left;
      if (child >= this.heap.length || !this.isBefore(child, i)) return;
      this.swap(i, child);
      i = child;
    }
  }

  private isBefore(i: number, j: number): boolean {
    const [a, b] = [this.heap[i] as Event, this.heap[j] as Event];
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  private swap(i: number, j: number): void {
    const event = this.heap[i] as Event;
    this.heap[i] = this.heap[j] as Event;
    this.heap[j] = event;
  }
}

/**
 * Slows down whoever tries tokens where browsers sign in (S10). It is one isolate's and is forgotten with it, so it bounds what one
 * address can try at one isolate and no more; a bearer token is not slowed down. What keeps a token from being guessed is its length.
 */

/** An address may fail so often in a row, and once more whenever so much time has passed. */
const BURST = 10;
const REFILL_MS = 30_000;
/** More are not remembered: the first that came is forgotten. */
const ADDRESSES = 1_000;

export interface SignInLimit {
  /** Takes one attempt of the address. Gives how many milliseconds it must wait before the next; 0 where it may try now. */
  take(address: string, now: number): number;
  /** The attempt was no guess. */
  giveBack(address: string): void;
}

export function createSignInLimit(): SignInLimit {
  /** By address: when all of its attempts are there again. */
  const fullAt = new Map<string, number>();
  return {
    take(address, now) {
      const full = Math.max(fullAt.get(address) ?? 0, now);
      const wait = full - now - (BURST - 1) * REFILL_MS;
      if (wait > 0) return wait;
      fullAt.delete(address);
      fullAt.set(address, full + REFILL_MS);
      const [oldest] = fullAt.keys();
      if (fullAt.size > ADDRESSES && oldest !== undefined) fullAt.delete(oldest);
      return 0;
    },
    giveBack(address) {
      const full = fullAt.get(address);
      if (full !== undefined) fullAt.set(address, full - REFILL_MS);
    },
  };
}

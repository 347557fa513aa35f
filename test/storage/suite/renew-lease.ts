import { expect, test } from "vitest";
import type { Bed } from "../support/bed.ts";
import { decision, HOUR, LEASE } from "../support/builders.ts";

export function renewLeaseSuite(bed: () => Bed): void {
  test("a lease lasts from its renewal on", async () => {
    const { startAndClaim, store, moveClock, see } = bed();
    const run = await startAndClaim();
    await moveClock(LEASE / 2);
    expect(await store.renewLease(run, run.turn, LEASE)).toBe(true);
    expect((await see(run)).leaseExpiresAt).toBeGreaterThanOrEqual(run.now + 1.5 * LEASE);
    await moveClock(LEASE / 2);
    expect(await store.reclaimLeases(10, 5)).toEqual({ due: [], swept: 0 });
    await moveClock(LEASE / 2);
    expect(await store.reclaimLeases(10, 5)).toMatchObject({ swept: 1 });
  });

  test("an expired lease that nobody took back can be renewed", async () => {
    const { startAndClaim, store, moveClock } = bed();
    const run = await startAndClaim();
    await moveClock(2 * LEASE);
    expect(await store.renewLease(run, run.turn, LEASE)).toBe(true);
    expect(await store.reclaimLeases(10, 5)).toEqual({ due: [], swept: 0 });
  });

  test("a turn that ended, never was, or is another tenant's has no lease to renew", async () => {
    const { startAndClaim, store, see } = bed();
    const ended = await startAndClaim();
    await store.commitTurns([decision(ended)]);
    const held = await startAndClaim();
    const before = [await see(ended), await see(held)];
    expect(await store.renewLease(ended, ended.turn, HOUR)).toBe(false);
    expect(await store.renewLease(held, held.turn + 1, HOUR)).toBe(false);
    expect(await store.renewLease(held, held.turn - 1, HOUR)).toBe(false);
    expect(await store.renewLease({ ...held, tenant: "other" }, held.turn, HOUR)).toBe(false);
    expect(await store.renewLease({ tenant: "default", runId: "nobody" }, 1, HOUR)).toBe(false);
    expect([await see(ended), await see(held)]).toEqual(before);
  });
}

/** One system in a process of its own: opens it as the first message says, then does what the next ones ask. */

import { startTap, type Tap } from "./measure/tap.ts";
import type { Bed, Open, Options } from "./system.ts";
import type { Work } from "./work.ts";

export interface Opening {
  readonly system: string;
  readonly options: Options;
  readonly url: string;
  readonly counted: boolean;
}

export type Question =
  | { readonly verb: "open"; readonly value: Opening }
  | { readonly verb: "run"; readonly value: Work }
  | { readonly verb: "tick" | "roundTrips" | "close"; readonly value?: undefined };

export type Asked = Question & { readonly id: number };
export type Answer = { readonly id: number; readonly value?: unknown; readonly error?: string };

let bed: Bed | undefined;
const taps: Tap[] = [];

process.on("message", async (asked: Asked) => {
  process.send?.(
    await answer(asked).then(
      (value): Answer => ({ id: asked.id, value }),
      (error): Answer => ({ id: asked.id, error: error instanceof Error ? error.message : String(error) }),
    ),
  );
  if (asked.verb === "close") process.disconnect?.();
});
process.on("disconnect", () => process.exit());

async function answer(asked: Asked): Promise<unknown> {
  if (asked.verb === "open") {
    bed = await open(asked.value);
    return;
  }
  if (bed === undefined) throw new Error("nothing is open");
  switch (asked.verb) {
    case "run":
      return bed.run(asked.value);
    case "tick":
      return bed.tick?.();
    case "roundTrips":
      return taps.reduce((sum, tap) => sum + tap.roundTrips(), 0);
    case "close":
      await bed.close();
      await Promise.all(taps.map((tap) => tap.stop()));
  }
}

async function open({ system, options, url, counted }: Opening): Promise<Bed> {
  const adapter: { open: Open } = await import(`./systems/${system}.ts`);
  return adapter.open(options, {
    url,
    async tap(address) {
      if (!counted) return address;
      const tap = await startTap(address);
      taps.push(tap);
      return tap.address;
    },
  });
}

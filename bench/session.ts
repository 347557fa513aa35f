/** One run of the bench, from an empty Postgres to figures. */
import { countTrips } from "./counted.ts";
import { Figures } from "./figures.ts";
import { countIdle } from "./idle-minutes.ts";
import { startServer } from "./measure/server.ts";
import type { Asked } from "./options.ts";
import type { Told } from "./report/results.ts";
import { playRounds } from "./rounds.ts";
import { TRIPS } from "./workloads.ts";

/** What has been measured is told even where something failed. */
export async function play(asked: Asked): Promise<Told> {
  const begun = Date.now();
  const figures = new Figures();
  const server = await startServer();
  try {
    const stage = { server, columns: asked.columns, figures };
    await playRounds(stage, asked);
    if (asked.workloads.includes(TRIPS)) await countTrips(stage);
    if (asked.workloads.includes("W5")) await countIdle(stage, asked.minutes);
  } catch (error) {
    figures.fail("bench", "session", error);
  } finally {
    await server.stop();
  }
  const minutesTaken = Math.ceil((Date.now() - begun) / 60_000);
  return { asked, figures, postgresVersion: server.version, minutesTaken };
}

/** Under `wrangler dev` no cron fires by itself, so this does, and oftener than production's once a minute. */
import { setTimeout as sleep } from "node:timers/promises";

const interval = 2_000;
const retryInterval = 200;
/** A tick that found much to do may take its time. */
const tickPatience = 30_000;
/** A worker that reloads or restarts is away for a moment. */
const patience = 60_000;

export function startTicker(
  workerUrl: string,
  onSilence: (reason: string) => void,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const url = `${workerUrl}/cdn-cgi/local/scheduled?cron=${encodeURIComponent("* * * * *")}`;

  const run = async () => {
    let answered = 0;
    while (!stopping.signal.aborted) {
      const up = await tick(url, stopping.signal);
      if (up) answered = Date.now();
      else if (answered > 0 && Date.now() - answered > patience)
        return onSilence("the worker answers no more");
      await sleep(up ? interval : retryInterval, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const ended = run();
  return {
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

async function tick(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(tickPatience)]),
    });
    await response.arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

import { setLive, useLive } from "../api/live.ts";
import { useOutage } from "../api/outage.ts";
import { useHealth } from "../api/queries.ts";
import { formatSpan } from "../models/time.ts";

/** In production the cron ticks once a minute. */
const LATE_MS = 3 * 60_000;

/** What is wrong with Pawl as a whole, or with how current this page is. */
export function Banners() {
  const outage = useOutage();
  const live = useLive();
  return (
    <div role="status">
      {outage !== null && (
        <p className="bg-bad-soft px-4 py-2 text-center text-bad sm:px-6">
          <strong>No answer.</strong> {outage} Trying again; what is shown may be old.
        </p>
      )}
      {outage === null && <StaleCron />}
      {!live && (
        <p className="flex items-center justify-center gap-3 bg-hold-soft px-4 py-2 text-hold sm:px-6">
          Refreshing is paused.
          <button type="button" className="button" onClick={() => setLive(true)}>
            Resume
          </button>
        </p>
      )}
    </div>
  );
}

function StaleCron() {
  const { data: health } = useHealth();
  if (health === undefined || (health.tickAgeMs !== null && health.tickAgeMs <= LATE_MS)) return null;
  const since = health.tickAgeMs === null ? "never ticked" : `not ticked for ${formatSpan(health.tickAgeMs)}`;
  return (
    <p className="bg-hold-soft px-4 py-2 text-center text-hold sm:px-6">
      <strong>The cron has {since}.</strong> Lost wake-ups, expired leases and long sleeps wait for it.
    </p>
  );
}

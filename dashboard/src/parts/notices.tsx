/** Short words on what has just happened; screen readers say them. */
import { useSyncExternalStore } from "react";

interface Notice {
  readonly id: number;
  readonly text: string;
}

const SHOWN_MS = 6_000;
const listeners = new Set<() => void>();
let notices: readonly Notice[] = [];
let lastId = 0;

export function notify(text: string): void {
  const notice = { id: ++lastId, text };
  change([...notices.slice(-2), notice]);
  setTimeout(() => change(notices.filter((each) => each !== notice)), SHOWN_MS);
}

function change(to: readonly Notice[]): void {
  notices = to;
  for (const listener of listeners) listener();
}

export function Notices() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => notices,
  );
  return (
    <div
      role="status"
      className="pointer-events-none fixed inset-x-0 bottom-4 z-20 grid justify-items-center gap-2 px-4"
    >
      {shown.map(({ id, text }) => (
        <p key={id} className="max-w-xl rounded-md bg-ink px-3 py-2 text-page shadow-lg break-words">
          {text}
        </p>
      ))}
    </div>
  );
}

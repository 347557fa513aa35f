import { KEYS } from "../models/keys.ts";
import { Dialog } from "./dialog.tsx";
import { keysSetting } from "./use-keys.ts";

export function KeySheet({ onClose }: { readonly onClose: () => void }) {
  const on = keysSetting.use() === "on";
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-5 gap-y-1.5">
        {KEYS.map(([key, meaning]) => (
          <div key={key} className="contents">
            <dt className="flex gap-1">
              {key.split(" ").map((each) => (
                <kbd
                  key={each}
                  className="min-w-6 rounded border border-line bg-sunken px-1.5 text-center text-xs leading-5"
                >
                  {each}
                </kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <div className="mt-5 flex items-center justify-between gap-3">
        <label className="flex items-center gap-2">
          <input
            type="checkbox"
            className="size-4"
            checked={on}
            onChange={() => keysSetting.set(on ? "off" : "on")}
          />
          Keys are on
        </label>
        <button type="button" className="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

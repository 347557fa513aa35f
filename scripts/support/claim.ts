/** One owner at a time for a folder: a file that names the owning process and is void once it is gone. */
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { beginningOf } from "./processes.ts";

export interface Owner {
  readonly pid: number;
  /** When the process began, as the system tells it: process ids are used again. */
  readonly began: string;
  /** What the owner wants others to read, such as its address. */
  readonly note?: string;
}

/** Returns the living owner if there is one, else makes this process the owner. */
export function claim(file: string): Owner | undefined {
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, describe(), { mode: 0o600 });
  try {
    for (;;) {
      try {
        linkSync(mine, file);
        return undefined;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const owner = livingOwner(file);
      if (owner !== undefined) return owner;
      rmSync(file, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

export function annotate(file: string, note: string): void {
  writeFileSync(file, describe(note), { mode: 0o600 });
}

export function release(file: string): void {
  rmSync(file, { force: true });
}

function livingOwner(file: string): Owner | undefined {
  try {
    const owner: Owner = JSON.parse(readFileSync(file, "utf8"));
    return beginningOf(owner.pid) === owner.began ? owner : undefined;
  } catch {
    return undefined;
  }
}

function describe(note?: string): string {
  const owner: Owner = { pid: process.pid, began: beginningOf(process.pid) ?? "", ...(note && { note }) };
  return JSON.stringify(owner);
}

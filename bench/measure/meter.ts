/** What a piece of work took besides time: write-ahead log, and processor time of Postgres and of the system. */
import { cpuOf } from "./cpu.ts";
import type { Server } from "./server.ts";

export interface Reading {
  /** In bytes; undefined where Postgres cannot say. */
  readonly wal: { readonly records: number; readonly images: number } | undefined;
  /** Undefined where the system cannot say. */
  readonly cpu: { readonly postgresMs: number; readonly systemMs: number } | undefined;
}

/** Begins, and gives what ends it. `pid` is the system's process; all of its descendants count. */
export type Meter = (pid: number) => Promise<() => Promise<Reading>>;

export function createMeter(server: Server): Meter {
  return async (pid) => {
    const position = await server.walPosition();
    const before = readCpu(server.pid, pid);
    return async () => {
      const after = readCpu(server.pid, pid);
      const wal = await server.walSince(position);
      const cpu =
        before === undefined || after === undefined
          ? undefined
          : {
              postgresMs: after.postgres - before.postgres,
              systemMs: after.system - before.system,
            };
      return { wal, cpu };
    };
  };
}

function readCpu(postgresPid: number, systemPid: number): { postgres: number; system: number } | undefined {
  const [postgres, system] = [cpuOf(postgresPid), cpuOf(systemPid)];
  return postgres === undefined || system === undefined ? undefined : { postgres, system };
}

/** Where the figures come from: the machine, without its name, and the versions. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, release, totalmem, type } from "node:os";
import { SYSTEMS, versionOf } from "../systems.ts";
import { table } from "./markdown.ts";

export function machineTable(postgresVersion: string): string {
  const processors = cpus();
  return table(
    ["", ""],
    [
      ["processor", `${processors.length} × ${processors[0]?.model.trim() ?? "unknown"}`],
      ["memory", `${(totalmem() / 2 ** 30).toFixed(1)} GiB`],
      ["system", `${type()} ${release().split("-")[0]}`],
      ["Node.js", process.version],
      [
        "Postgres",
        `${postgresVersion}, on the same machine over loopback, with its default settings (\`fsync\`, \`synchronous_commit\` and \`full_page_writes\` on) but for \`max_connections\` = 400 and \`pg_stat_statements\`, which counts only for W5 and the round trips`,
      ],
      ...SYSTEMS.map((system) => [system.name, versionsOf(system)]),
    ],
  );
}

function versionsOf(system: (typeof SYSTEMS)[number]): string {
  const version = versionOf(system) ?? "not installed";
  if (system.package !== undefined) return version;
  const tools = ["wrangler", "miniflare", "workerd"].map((name) => `${name} ${toolVersion(name)}`);
  return `${version}, with ${tools.join(", ")}`;
}

/** Miniflare alone depends on workerd, so it is looked for from there. */
function toolVersion(name: string): string {
  const fromHere = createRequire(import.meta.url);
  const from = createRequire(fromHere.resolve("miniflare"));
  const path = (name === "workerd" ? from : fromHere).resolve(`${name}/package.json`);
  return JSON.parse(readFileSync(path, "utf8")).version;
}

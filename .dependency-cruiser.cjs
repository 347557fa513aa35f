/** Who may import whom. The house and its reasons: ARCHITECTURE.md. Type-only imports count. */
const only = (folder, allowed) => ({
  name: `${folder}-imports-only-what-it-may`,
  severity: "error",
  from: { path: `^src/${folder}` },
  to: { path: "^(src|scripts|test|bench|examples|dashboard)/", pathNot: [`^src/${folder}`, ...allowed] },
});

const packages = (folder, allowed) => ({
  name: `${folder}-uses-only-its-packages`,
  severity: "error",
  from: { path: `^src/${folder}` },
  to: {
    dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "core", "npm-no-pkg", "unknown"],
    pathNot: allowed,
  },
});

const PORTS = ["^src/engine/"];
const USE_CASES = ["^src/engine/", "^src/runtime/"];

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    only("engine/", []),
    packages("engine/", ["node_modules/superjson/", "node_modules/@standard-schema/spec/"]),
    only("runtime/", PORTS),
    packages("runtime/", []),
    only("storage/", PORTS),
    packages("storage/", [
      "node_modules/drizzle-orm/",
      "node_modules/@neondatabase/serverless/",
      "node_modules/ulid/",
    ]),
    only("events/", PORTS),
    packages("events/", []),
    only("queue/", USE_CASES),
    packages("queue/", []),
    only("cron/", USE_CASES),
    packages("cron/", []),
    only("http/", USE_CASES),
    packages("http/", ["node_modules/hono/", "node_modules/zod/", "node_modules/@standard-schema/spec/"]),
    only("shell\\.ts$", ["^src/env\\.ts$"]),
    packages("shell\\.ts$", []),
    only("telemetry\\.ts$", PORTS),
    only("determinism\\.ts$", PORTS),
    only("stopwatch\\.ts$", USE_CASES),
    only("pawl\\.ts$", PORTS),
    // A user's code: it sees the public door and its own files.
    only("workflows/", ["^src/pawl\\.ts$"]),
    {
      name: "nothing-imports-the-wiring-but-the-doors",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/index\\.ts$" },
      to: { path: "^src/(wiring|index)\\.ts$" },
    },
    {
      name: "the-worker-imports-no-scripts-or-tests",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(scripts|test|bench|examples)/" },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["workerd", "import", "types"] },
    // `pawl` is this very package; `cloudflare:` modules are the runtime's.
    exclude: { path: "^cloudflare:" },
  },
};

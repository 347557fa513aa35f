export * from "./builders.ts";
export * from "./simulated-run.ts";

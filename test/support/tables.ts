/** The tables of what belongs to tenants: all of Pawl's but `ticks` and `migrations`, which are the deployment's. */
export const TABLES = [
  "runs",
  "run_tags",
  "journal",
  "timers",
  "waits",
  "deliveries",
  "branches",
  "channels",
  "subscriptions",
  "messages",
  "run_groups",
  "hooks",
  "run_state",
  "mutations",
  "outbox",
  "outbox_sends",
] as const;

/**
 * What the tables alone cannot show afterwards: triggers of the chaos's own note every change that must not be, and
 * every turn that was lost. Beside them, the user's tables that `step.transaction` writes to.
 */
import type { TestDatabase } from "../support/database.ts";

/** What everybody has in the beginning; the sum never changes. */
export const BALANCE = 1_000;

const AUDIT = `
create schema chaos;

create table chaos.accounts (account int primary key, balance bigint not null);
-- Without a key: a transfer that was done twice must be seen.
create table chaos.transfers (run_id text not null);

create table chaos.broken (what text not null, run_id text not null, detail text not null);
create table chaos.lost (run_id text not null, key text);

create function chaos.watch_run() returns trigger language plpgsql as $$
begin
  if new.turn < old.turn or new.turn > old.turn + 1 then
    insert into chaos.broken values ('the turn went from one to another that does not follow it (V4)', old.id, old.turn || ' to ' || new.turn);
  end if;
  if new.status <> old.status and (old.status in ('completed', 'cancelled')
      or old.status in ('failed', 'dead') and (new.status <> 'ready' or new.turn = old.turn)) then
    insert into chaos.broken values ('a final status changed (V3)', old.id, old.status || ' to ' || new.status);
  end if;
  if old.status in ('completed', 'cancelled') and (new.output, new.failure) is distinct from (old.output, old.failure) then
    insert into chaos.broken values ('a result changed (V3)', old.id, old.status);
  end if;
  if new.lost_turns > old.lost_turns then
    insert into chaos.lost values (old.id, null);
  end if;
  return null;
end $$;

create function chaos.watch_branch() returns trigger language plpgsql as $$
begin
  if new.turn < old.turn or new.turn > old.turn + 1 then
    insert into chaos.broken values ('the turn of a branch went from one to another that does not follow it (V4)', old.run_id, old.key);
  end if;
  if new.lost_turns > old.lost_turns then
    insert into chaos.lost values (old.run_id, old.key);
  end if;
  return null;
end $$;

create function chaos.watch_journal() returns trigger language plpgsql as $$
begin
  insert into chaos.broken values ('an entry of the journal was changed or deleted (V1)', old.run_id, old.seq::text);
  return null;
end $$;

create trigger watch_run after update on pawl.runs for each row execute function chaos.watch_run();
create trigger watch_branch after update on pawl.branches for each row execute function chaos.watch_branch();
create trigger watch_journal after update or delete on pawl.journal for each row execute function chaos.watch_journal();`;

export async function installAudit(database: TestDatabase, accounts: number): Promise<void> {
  await database.rows(AUDIT);
  await database.rows(
    "insert into chaos.accounts select account, $1 from generate_series(0, $2 - 1) account",
    [BALANCE, accounts],
  );
}

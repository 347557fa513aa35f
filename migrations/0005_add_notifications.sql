-- For listeners of one's own: `select pawl.notify_runs(true)` has every run that begins to wait or ends tell so on the
-- Postgres channel `pawl_runs`, as {"tenant", "id", "workflow", "status"}; `notify_runs(false)` stops it. Off by default:
-- Postgres commits transactions that notify one after the other.
create function pawl.tell_listeners() returns trigger language plpgsql as $$
begin
  perform pg_notify('pawl_runs', json_build_object(
    'tenant', new.tenant, 'id', new.id, 'workflow', new.workflow, 'status', new.status)::text);
  return null;
end $$;

create function pawl.notify_runs(enabled boolean) returns void language plpgsql as $$
begin
  drop trigger if exists tell_listeners on pawl.runs;
  if enabled then
    create trigger tell_listeners after update of status on pawl.runs for each row
      when (new.status <> old.status and new.status in ('waiting', 'completed', 'cancelled', 'failed', 'dead'))
      execute function pawl.tell_listeners();
  end if;
end $$;

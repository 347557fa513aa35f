-- How many rows of these tables a run has, as a share of the table: from -0.2, a fifth, the planner expects five. Counting for
-- itself it takes the average, and next to one parent of ten thousand children that makes every run seem to have thousands of
-- waits: each claim of any run then reads the whole table. It takes effect when a table is analysed next.
alter table pawl.waits alter column run_id set (n_distinct = -0.2);
alter table pawl.branches alter column run_id set (n_distinct = -0.2);
alter table pawl.deliveries alter column run_id set (n_distinct = -0.2);
alter table pawl.timers alter column run_id set (n_distinct = -0.2);
alter table pawl.journal alter column run_id set (n_distinct = -0.05);

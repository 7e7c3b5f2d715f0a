-- Peal's outbox: what the application publishes, and changes of the tables it has chosen, are rows that
-- its own transaction writes and a monitor takes. Installed by `peal monitor postgres install`.
create schema if not exists peal;

create table if not exists peal.meta (
  only_row boolean primary key default true check (only_row),
  version integer not null,
  install text not null,              -- names this outbox; another one begins its numbers anew
  server text not null default '',    -- system identifier and timeline that last took from it
  generation bigint not null default 1,
  next bigint not null default 1      -- the number of the next row that is taken
);

create table if not exists peal.outbox (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  bytes bigint not null,
  channel text, key text, deletion boolean not null default false, payload jsonb,
  schema_name text, table_name text, op text, old_row json, new_row json
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- What was taken and not acknowledged yet: rows and their numbers, so that they stay the same over a crash.
create table if not exists peal.batch (first bigint primary key, ids bigint[] not null);

-- What can never be published, with the reason: too large, no channel name.
create table if not exists peal.rejected (
  id bigint primary key,
  at timestamptz not null default clock_timestamp(),
  reason text not null,
  change json not null
);

-- What an older version made otherwise.
do $body$
declare
  watched regclass;
begin
  if (select data_type from information_schema.columns where table_schema = 'peal' and table_name = 'outbox'
      and column_name = 'new_row') = 'jsonb' then
    alter table peal.outbox alter old_row type json, alter new_row type json;
    alter table peal.rejected alter change type json;
  end if;
  for watched in select tgrelid from pg_trigger where tgname = 'peal_capture' and tgparentid = 0 loop
    execute format('alter trigger peal_capture on %s rename to "!peal_capture"', watched);
  end loop;
end $body$;

insert into peal.meta (version, install)
  values (3, left(replace(gen_random_uuid()::text, '-', ''), 12)) on conflict (only_row) do update set version = 3;

create or replace function peal.publish(channel text, payload jsonb, key text default null,
                                        deletion boolean default false) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $body$
begin
  if channel is null or octet_length(channel) not between 1 and 255 or channel ~ '[\u0001-\u001f\u007f-\u009f]' then
    raise exception 'peal.publish: a channel is 1 to 255 bytes without control characters'
      using errcode = 'invalid_parameter_value';
  end if;
  if payload is null then
    raise exception 'peal.publish: the payload is NULL; JSON''s own null is ''null''::jsonb'
      using errcode = 'null_value_not_allowed';
  end if;
  insert into peal.outbox (bytes, channel, key, deletion, payload)
    values (pg_column_size(payload), channel, key, coalesce(deletion, false), payload);
end $body$;

-- Values are written in one way, whatever the settings of who changes them. A cast to json of a type that somebody
-- made runs with the rights of whoever installed this: such a cast must be theirs, or a superuser's.
create or replace function peal.capture() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set datestyle = 'ISO' set intervalstyle = 'postgres'
set extra_float_digits = 3 set bytea_output = 'hex' set timezone = 'UTC' as $body$
declare
  before json;
  after json;
  foreign_cast regprocedure;
begin
  if exists (select from pg_attribute a where a.attrelid = tg_relid and a.attnum > 0 and a.atttypid >= 16384) then
    select f.oid into foreign_cast from pg_cast c join pg_proc f on f.oid = c.castfunc join pg_roles r on r.oid = f.proowner
      where c.casttarget in ('json'::regtype, 'jsonb'::regtype) and c.castsource >= 16384
        and not r.rolsuper and f.proowner <> current_user::regrole limit 1;
    if found then
      raise exception 'peal: % would run with the rights of %', foreign_cast, current_user
        using errcode = 'insufficient_privilege', hint = 'drop the cast to json, or let ' || current_user || ' own its function';
    end if;
  end if;
  if tg_op in ('UPDATE', 'DELETE') then before := row_to_json(old); end if;
  if tg_op in ('UPDATE', 'INSERT') then after := row_to_json(new); end if;
  insert into peal.outbox (bytes, schema_name, table_name, op, old_row, new_row)
    values (coalesce(pg_column_size(before), 0) + coalesce(pg_column_size(after), 0),
            tg_argv[0], tg_argv[1], lower(tg_op), before, after);
  return null;
end $body$;

-- NOTIFY makes commits wait for each other, so it is said only to a monitor that asked to be woken: that one
-- holds lock 2. A transaction that said NOTIFY can't be prepared for a commit in two phases: `set peal.notify = off`
-- is for those. Who wrote without it holds lock 1 until the commit can be seen, so that it is waited for.
create or replace function peal.wake() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
begin
  perform pg_advisory_xact_lock_shared(7305509, 1);
  if current_setting('peal.notify', true) is distinct from 'off' and
     not (pg_try_advisory_lock_shared(7305509, 2) and pg_advisory_unlock_shared(7305509, 2)) then
    perform pg_notify('peal_outbox', '');
  end if;
  return null;
end $body$;

create or replace trigger wake after insert on peal.outbox for each statement execute function peal.wake();

-- The monitor says that it takes from here now. Another server or timeline (restored, failed over) may go
-- back behind numbers that were given out: it gets a generation above all before.
create or replace function peal.claim(met numeric default null)
returns table (install text, generation bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
declare
  timeline bigint := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint;
  here text := (select system_identifier from pg_control_system()) || ':' || timeline;
begin
  update peal.meta m set server = here, generation = greatest(m.generation + 1, timeline << 32)
    where m.server <> here;
  if met is not null then
    update peal.meta m set generation = greatest(m.generation, met::bigint) + 1;
  end if;
  return query select m.install || ':' || split_part(m.server, ':', 1), m.generation from peal.meta m;
end $body$;

-- Ends the batch that begins with `done`, then gives the next one, or again the one that is not ended. A
-- snapshot that sees a change of a row sees every earlier change of that row, whose id is lower, since the
-- row was locked: so rows in the order of snapshots, and of ids within one, are in commit order for each key.
create or replace function peal.take(done bigint, refused jsonb, rows_max integer, bytes_max bigint)
returns table (number bigint, fresh boolean, id bigint, at_ms bigint, channel text, key text,
               deletion boolean, payload text, schema_name text, table_name text, op text,
               old_row text, new_row text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
declare
  first_number bigint;
  picked bigint[];
  is_fresh boolean := false;
begin
  if done is not null then
    insert into peal.rejected (id, reason, change)
      select o.id, r.value, row_to_json(o) from jsonb_each_text(refused) r
      join peal.outbox o on o.id = r.key::bigint on conflict do nothing;
    delete from peal.batch b where b.first = done returning b.ids into picked;
    delete from peal.outbox o where o.id = any (picked);
  end if;
  select b.first, b.ids into first_number, picked from peal.batch b order by b.first limit 1;
  if not found then
    select array_agg(s.id order by s.id) into picked from (
      select o.id, sum(o.bytes) over (order by o.id) - o.bytes as before
      from (select p.id, p.bytes from peal.outbox p order by p.id limit rows_max) o
    ) s where s.before < bytes_max;
    if picked is null then return; end if;
    is_fresh := true;
    update peal.meta m set next = m.next + cardinality(picked)
      returning m.next - cardinality(picked) into first_number;
    insert into peal.batch (first, ids) values (first_number, picked);
  end if;
  return query
    select first_number + u.place - 1, is_fresh, o.id, (extract(epoch from o.at) * 1000)::bigint,
           o.channel, o.key, o.deletion, o.payload::text, o.schema_name, o.table_name, o.op,
           o.old_row::text, o.new_row::text
    from unnest(picked) with ordinality u(id, place) join peal.outbox o on o.id = u.id
    order by u.place;
end $body$;

-- What waits, without taking it.
create or replace function peal.peek(rows_max integer)
returns table (id bigint, at_ms bigint, channel text, key text, deletion boolean, payload text,
               schema_name text, table_name text, op text, old_row text, new_row text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $body$
  select o.id, (extract(epoch from o.at) * 1000)::bigint, o.channel, o.key, o.deletion, o.payload::text,
         o.schema_name, o.table_name, o.op, o.old_row::text, o.new_row::text
  from peal.outbox o order by o.id limit rows_max
$body$;

-- How much waits (counted up to `most`), how long the oldest of it has, and what was rejected.
create or replace function peal.lag(most integer)
returns table (changes bigint, bytes bigint, oldest_ms bigint, rejected bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $body$
  select count(*), coalesce(sum(w.bytes), 0)::bigint,
         greatest(0, coalesce(extract(epoch from clock_timestamp() - min(w.at)) * 1000, 0))::bigint,
         (select count(*) from peal.rejected)
  from (select o.bytes, o.at from peal.outbox o order by o.id limit most) w
$body$;

revoke all on schema peal from public;
revoke all on all functions in schema peal from public;

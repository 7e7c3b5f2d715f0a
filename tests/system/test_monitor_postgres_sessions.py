"""peal-monitor-postgres and what sessions have set, do in two phases, or try: the same rings, nothing of it is run with others'
rights, and nobody's work is kept from its end."""

import json
import subprocess

import pytest

from lib.monitor import Monitor, install, keeping_broker, log_of, messages_of
from lib.postgres_server import PostgresServer
from lib.processes import until

RULE = '[[rules]]\ntable = "notes"\nchannel = "notes"\nkey = "{id}"\n'
both = pytest.mark.parametrize("mode", ["outbox", "logical"])


@pytest.fixture
def postgres(cluster):
    with PostgresServer(cluster.folder, {"wal_level": "logical", "max_prepared_transactions": "5"}) as server:
        server.ask("create table notes (id int primary key, note text); alter table notes replica identity full")
        yield server


def watching(cluster, postgres, broker, mode):
    if mode == "outbox":
        install(postgres.dsn, "--table", "notes")
    monitor = Monitor(cluster, "monitor-1", postgres.dsn, broker, f'postgres.mode = "{mode}"\n{RULE}').start()
    until(monitor.active, "it is active")
    if mode == "logical":
        until(lambda: "the snapshot is published" in monitor.log(), "the snapshot")
    return monitor


def new_rows(broker):
    return [m["new"] for m in messages_of(broker, "notes") if m and "new" in m]


def heard(broker, key):
    return any(p.get("key") == key for p in log_of(broker, "notes"))


@pytest.mark.parametrize("mode", ["outbox", "logical", "notify"])
def test_a_standby_keeps_nothing_from_being_vacuumed(cluster, postgres, mode):
    """A statement that waits has a snapshot, and what is dead since then can't be removed in the whole database."""
    broker = keeping_broker(cluster)
    if mode == "outbox":
        install(postgres.dsn, "--table", "notes")
    config = f'postgres.mode = "{mode}"\n' + (RULE if mode != "notify" else '[[listen]]\nname = "a"\nchannel = "a"\n')
    one = Monitor(cluster, "monitor-1", postgres.dsn, broker, config).start()
    until(one.active, "the first is active")
    two = Monitor(cluster, "monitor-2", postgres.dsn, broker, config).start()
    until(lambda: "standing by" in two.log(), "the other stands by")
    idle = "select count(*) from pg_stat_activity where application_name = 'monitor-2' and state = 'idle' and backend_xmin is null"
    until(lambda: postgres.ask(idle) == "1", "it holds no snapshot while it waits")
    one.kill()
    until(two.active, "it takes over")


SETTINGS = {"bytea_output": "escape", "timezone": "Asia/Tokyo", "intervalstyle": "iso_8601", "extra_float_digits": "-5",
            "datestyle": "German", "statement_timeout": "3s", "idle_in_transaction_session_timeout": "2s",
            "idle_session_timeout": "2s", "lock_timeout": "1s", "standard_conforming_strings": "off",
            "default_transaction_isolation": "serializable"}
OWN = "set timezone = 'UTC'; set bytea_output = hex; set intervalstyle = postgres; set extra_float_digits = 3; set datestyle = ISO; "


@both
def test_settings_of_roles_change_nothing(cluster, postgres, mode):
    broker = keeping_broker(cluster)
    postgres.ask("alter table notes add column raw bytea, add column at timestamptz, add column span interval, add column x float8, "
                 "add column during tstzrange, add column day date;" +
                 "".join(f"alter role postgres set {name} = '{value}';" for name, value in SETTINGS.items()))
    row = (r"insert into notes (id, raw, at, span, x, during, day) values (%d, E'\\xdeadbeef', '2026-02-03 04:05:06+02', "
           "'1 day 02:03', 0.1::float8 + 0.2, tstzrange('2026-02-03 04:05:06+02', null), '2026-02-03')")
    if mode == "logical":
        postgres.ask(row % 1)
    monitor = watching(cluster, postgres, broker, mode)
    postgres.ask(row % 2)
    until(lambda: heard(broker, "2"), "it rings")
    wanted = json.loads(postgres.ask(OWN + "select json_agg(n order by id) from notes n"))
    assert new_rows(broker) == wanted
    # Longer than the session may be idle.
    until(lambda: postgres.ask("select count(*) from pg_stat_activity where application_name = 'monitor-1' and backend_type = "
                               "'client backend' and now() - backend_start > interval '3 s'") == "1", "the session stays")
    postgres.ask(row % 3)
    until(lambda: heard(broker, "3"), "it goes on")
    assert monitor.metric("peal_monitor_connections_lost_total") == 0


@both
def test_sessions_that_are_cut_are_renewed(cluster, postgres, mode):
    """As a pooler or a firewall cuts them, again and again, in the middle of the work."""
    broker = keeping_broker(cluster)
    monitor = watching(cluster, postgres, broker, mode)
    for number in range(1, 11):
        postgres.ask(f"insert into notes select i, 'x' from generate_series({number} * 100, {number} * 100 + 99) i; "
                     "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'monitor-1'")
        until(lambda: heard(broker, str(number * 100 + 99)), "it goes on")
    assert [row["id"] for row in new_rows(broker)] == list(range(100, 1100)), "each once, in order"
    assert monitor.metric("peal_monitor_connections_lost_total") >= 1


@both
def test_two_phases_ring_when_they_are_committed(cluster, postgres, mode):
    broker = keeping_broker(cluster)
    watching(cluster, postgres, broker, mode)
    if mode == "outbox":
        held = "select count(*) from pg_locks where locktype = 'advisory' and classid = 7305509 and objid = 2"
        until(lambda: postgres.ask(held) == "1", "it sleeps until NOTIFY, which no such transaction may say")
    postgres.ask("set peal.notify = off; begin; insert into notes values (1, 'x'); prepare transaction 'one'; "
                 "begin; insert into notes values (2, 'x'); prepare transaction 'two'")
    postgres.ask("commit prepared 'two'; rollback prepared 'one'")
    until(lambda: heard(broker, "2"), "it rings")
    assert not heard(broker, "1")


@both
def test_what_a_trigger_changes_again_comes_after(cluster, postgres, mode):
    broker = keeping_broker(cluster)
    postgres.ask("create function again() returns trigger language plpgsql as $$ begin "
                 "update notes set note = 'again' where id = new.id; return null; end $$; "
                 "create trigger again after insert on notes for each row execute function again()")
    watching(cluster, postgres, broker, mode)
    postgres.ask("insert into notes select i, 'first' from generate_series(1, 3) i; "
                 "insert into notes values (3, 'x'), (4, 'x') on conflict (id) do update set note = 'conflict'")
    until(lambda: heard(broker, "4"), "it rings")
    rows = {row["id"]: row["note"] for row in postgres.rows("select * from notes")}
    until(lambda: {row["id"]: row["note"] for row in new_rows(broker)} == rows, "the last that rings of a row is the row")


def test_json_that_only_json_may_have_is_no_reason_to_refuse_a_row(cluster, postgres):
    """An escaped NUL is JSON; jsonb takes none, and the application's insert must not fail for that."""
    broker = keeping_broker(cluster)
    postgres.ask("alter table notes add column plain json, add column deep jsonb")
    monitor = watching(cluster, postgres, broker, "outbox")
    postgres.ask(r"""insert into notes (id, plain) values (1, '"a\u0000b"');
      insert into notes (id, deep) values (2, (repeat('[', 3000) || repeat(']', 3000))::jsonb); insert into notes (id) values (3)""")
    until(lambda: heard(broker, "3"), "what comes behind rings")
    assert new_rows(broker)[0]["plain"] == "a\0b"
    assert postgres.ask("select change->'new_row'->>'id' from peal.rejected") == "2"
    assert monitor.metric("peal_monitor_rejected_total") == 1


def test_nobody_runs_anything_by_a_table_that_is_watched(cluster, postgres):
    """Whoever owns a table may give its types a cast to json; a trigger of somebody else's must not run it with their rights."""
    broker = keeping_broker(cluster)
    postgres.ask("create role mallory login; grant all on schema public to mallory; alter table notes owner to mallory")
    watching(cluster, postgres, broker, "outbox")
    postgres.ask("""create type kind as enum ('a');
      create function steal(kind) returns json language plpgsql as $$ begin
        create table public.stolen as select current_user::text as who; return '1'; end $$;
      create cast (kind as json) with function steal(kind); alter table notes add column kind kind""", "mallory")
    refused = postgres.psql("insert into notes values (1, 'x', 'a')", "mallory")
    assert refused.returncode != 0 and "steal(public.kind) would run with the rights of postgres" in refused.stderr
    assert postgres.ask("select to_regclass('public.stolen')") == ""
    # Nor by names: what a session puts in front of its path is not what the functions mean.
    postgres.ask("drop cast (kind as json)", "mallory")
    postgres.ask("grant create on database postgres to mallory")
    postgres.ask("""create schema mine;
      create function mine.row_to_json(record) returns json language plpgsql as $$ begin
        create table public.stolen as select current_user::text as who; return '1'; end $$;
      create function mine.pg_column_size(json) returns int language plpgsql as $$ begin
        create table public.stolen as select current_user::text as who; return 1; end $$;
      create table mine.outbox (id int);
      set search_path = mine, public, pg_catalog; insert into public.notes values (1, 'x', 'a')""", "mallory")
    until(lambda: heard(broker, "1"), "it rings")
    assert postgres.ask("select to_regclass('public.stolen')") == ""


@pytest.mark.parametrize("channel", ["a b", "*", "ünï:💡", "'; drop table notes; --", "{id}", "a\\u0001", "\\", "$x$", "x" * 255])
def test_strange_channels_are_names_and_nothing_else(cluster, postgres, channel):
    broker = keeping_broker(cluster)
    watching(cluster, postgres, broker, "outbox")
    postgres.ask("set standard_conforming_strings = off; select peal.publish($t$" + channel + "$t$, '1')")
    until(lambda: messages_of(broker, channel) == [1], "it rings there")
    assert postgres.psql("select peal.publish(repeat('x', 256), '1')").returncode != 0


def test_a_table_that_nothing_watches_any_more_is_told(cluster, postgres):
    broker = keeping_broker(cluster)
    monitor = watching(cluster, postgres, broker, "outbox")
    postgres.ask("drop table notes; create table notes (id int primary key, note text)")
    until(lambda: "nothing watches a table" in monitor.log() and "install --table public.notes" in monitor.log(), "it is said")
    install(postgres.dsn, "--table", "notes")
    postgres.ask("insert into notes values (1, 'x')")
    until(lambda: heard(broker, "1"), "it rings")


@both
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_texts_in_other_encodings_are_the_same_texts(cluster, postgres, mode, encoding):
    broker = keeping_broker(cluster)
    postgres.ask(f"create database odd template template0 encoding '{encoding}' locale 'C'")
    dsn = postgres.dsn.replace("dbname=postgres", "dbname=odd")

    def ask(sql):
        done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn], input=sql, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    ask("create table notes (id int primary key, note text)")
    if mode == "outbox":
        install(dsn, "--table", "notes")
    rule = '[[rules]]\ntable = "notes"\nchannel = "by:{note}"\n'
    monitor = Monitor(cluster, "monitor-1", dsn, broker, f'postgres.mode = "{mode}"\n{rule}').start()
    until(monitor.active, "it is active")
    ask("set client_encoding = 'UTF8'; insert into notes values (1, 'é')")
    until(lambda: messages_of(broker, "by:é"), "it rings")
    assert messages_of(broker, "by:é")[0]["new"] == {"id": 1, "note": "é"}
    assert ("SQL_ASCII" in monitor.log()) == (encoding == "SQL_ASCII")
    if encoding == "SQL_ASCII":
        ask(r"insert into notes values (2, E'\xe9')")
        tried = postgres.folder.parent / "postgres.log"
        until(lambda: tried.read_text().count("invalid byte sequence") >= 5, "it tries again and again")
        until(lambda: monitor.get("/readyz")[0] == 503, "it is not ready")
        assert monitor.log().count('no session with the database reason="Postgres: invalid byte sequence') <= 2, "not each time"

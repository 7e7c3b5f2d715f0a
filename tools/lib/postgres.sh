# What tools/run --with-postgres starts besides: a Postgres of its own, which lives in a temporary
# folder and is gone in the end; the monitor that reads from it; and the orders page's backend.

start_postgres() {
  postgres_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  [ -x "$postgres_bin/initdb" ] || die "There is no Postgres under /usr/lib/postgresql (Debian: apt-get install postgresql)."
  postgres_dir=$(mktemp -d /tmp/peal-postgres.XXXXXX)
  temp_dirs+=("$postgres_dir")
  dsn="host=$postgres_dir user=postgres dbname=shop"
  local as=(env -C "$postgres_dir")
  if [ "$(id -u)" -eq 0 ]; then # as root it refuses to run
    chown postgres: "$postgres_dir"
    as+=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  fi
  step "make database" "${as[@]}" "$postgres_bin/initdb" -D "$postgres_dir/data" -A trust -U postgres -E UTF8 \
    --locale=C --no-sync || die "The database could not be made; the reason is above."
  # It is only asked through a socket in that folder, which is nobody else's.
  start postgres "${as[@]}" "$postgres_bin/postgres" -D "$postgres_dir/data" -c listen_addresses= \
    -c unix_socket_directories="$postgres_dir" -c wal_level=logical -c fsync=off -c max_connections=20
  step "start postgres" await_postgres "${started[-1]%% *}" ||
    die "Postgres did not start; its log is $run_dir/postgres.log:" "$(tail -n 20 "$run_dir/postgres.log")"
  step "make table" make_orders || die "The table could not be made; the reason is above."
}

await_postgres() { # PID
  local deadline=$(($(now_ms) + 20000))
  until "$postgres_bin/pg_isready" -q -h "$postgres_dir"; do
    alive "$1" || return 1
    [ "$(now_ms)" -lt "$deadline" ] || { warn "postgres is not ready after 20 s"; return 1; }
    pause 0.05
  done
}

make_orders() {
  psql -X -q -d "host=$postgres_dir user=postgres dbname=postgres" -c 'create database shop' &&
    psql -X -q -v ON_ERROR_STOP=1 -d "$dsn" -f "$root/tools/examples/orders.sql"
}

# Tables are keyed state: the channel is the table. Nobody writes there but the monitor.
table_rule() {
  cat <<'END_OF_RULE'
[[channels]]
pattern = "demo:table:*"
recoverable = true
compact = true
history_length_max = 10000
history_age_max = "0s"
END_OF_RULE
}

start_monitor() {
  cat >"$run_dir/monitor.toml" <<END_OF_CONFIG
name = "monitor"
internal_listen = "127.0.0.1:0"
control = "ipc://$socket_dir/monitor.control"
ingest = "off"
ready_file = "$run_dir/monitor.ready"
postgres.dsn = "$dsn"
postgres.mode = "logical"
bus.connect = ["$bus_endpoint"]

[[rules]]
table = "orders"
channel = "demo:table:orders"
key = "{id}"

[[rules]]
table = "orders"
channel = "demo:table:orders:open"
key = "{id}"
filter = "status = 'open' and total >= 20"
END_OF_CONFIG
  step "start monitor" start_and_await monitor "$bin_dir/peal-monitor-postgres" ||
    die "The monitor did not start; its log is $run_dir/monitor.log:" "$(tail -n 20 "$run_dir/monitor.log")"
  start orders "$(python_with psycopg)" "$root/tools/examples/orders.py" "$(url_of "${gateways[0]}")" "$dsn"
}

say_postgres() {
  note "Rows of Postgres as they change: ${bold}$(url_of "${gateways[0]}")orders.html${plain}"
}
say_psql() {
  printf '%s\n' "" "psql '$dsn' -c \"insert into orders (item, total) values ('A bell', 25)\""
}

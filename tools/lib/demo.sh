# What tools/run starts: a gateway (or a broker and three, or with Postgres a broker and one), fed
# with this machine's load.

peal=$bin_dir/peal
gateways=() # names, in the order of starting

# ipc:// paths may have 107 bytes; a deep checkout gets a short folder of its own.
choose_socket_dir() {
  socket_dir=$run_dir
  if [ ${#run_dir} -gt 80 ]; then
    socket_dir=$(mktemp -d "${TMPDIR:-/tmp}/peal-run.XXXXXX")
    temp_dirs+=("$socket_dir")
  fi
}

start_demo() {
  local host=127.0.0.1 bus='driver = "embedded"' count=1 index
  mkdir -p "$run_dir"
  rm -f "$run_dir"/*.ready "$run_dir"/*.log "$run_dir"/*.toml
  choose_socket_dir
  [ "$lan" = no ] || host=0.0.0.0
  [ "$cluster" = no ] || count=3
  if [ "$cluster" = yes ] || [ "$with_postgres" = yes ]; then
    start_broker
    bus="driver = \"zmq\"
connect = [\"$bus_endpoint\"]"
  fi
  for ((index = 1; index <= count; index++)); do
    start_gateway "gateway-$index" $((port + (index - 1) * 10)) "$host" "$bus"
  done
  if [ "$with_postgres" = yes ]; then
    start_postgres
    start_monitor
  fi
  start_load
}

start_broker() {
  local bus_port
  bus_port=$(free_port $((port + 2)))
  bus_endpoint=tcp://127.0.0.1:$bus_port
  cat >"$run_dir/broker.toml" <<END
name = "broker"
internal_listen = "127.0.0.1:0"
control = "ipc://$socket_dir/broker.control"
ingest = "ipc://$socket_dir/broker.ingest"
ready_file = "$run_dir/broker.ready"

[bus]
listen = "$bus_endpoint"

$(list_rule)
$([ "$with_postgres" = no ] || table_rule)
END
  step "start broker" start_and_await broker "$bin_dir/peal-broker" ||
    die "The broker did not start; its log is $run_dir/broker.log:" "$(tail -n 20 "$run_dir/broker.log")"
}

# start_gateway NAME PORT HOST BUS: on the next free port from PORT on, said aloud.
start_gateway() {
  local name=$1 wanted=$2 attempt free internal
  for attempt in 1 2 3; do
    free=$(free_port "$wanted")
    [ "$free" = "$wanted" ] || note "Port $wanted is busy: $name takes $free."
    internal=0 # any free one, once the usual one was refused
    [ "$attempt" -gt 1 ] || internal=$(free_port $((free + 1)))
    write_gateway_config "$name" "$free" "$3" "$4" "$internal"
    if start_and_await "$name" "$bin_dir/peal-gateway"; then
      gateways+=("$name")
      return 0
    fi
    grep -qi 'in use' "$run_dir/$name.log" || break
    # Somebody was faster, or holds the port without listening.
    grep -q 'internal_listen' "$run_dir/$name.log" || wanted=$((free + 1))
  done
  die "$name did not start; its log is $run_dir/$name.log:" "$(tail -n 20 "$run_dir/$name.log")"
}

# To-do lists are kept: each item is the last publication of its channel. The broker, which keeps
# them, and the gateways, which judge who may write, are told alike.
list_rule() {
  cat <<'END'
[[channels]]
pattern = "demo:todo:*"
recoverable = true
history_length_max = 100
history_age_max = "0s"
END
}

write_gateway_config() { # NAME PORT HOST BUS INTERNAL_PORT
  local hosts='' address
  if [ "$lan" = yes ]; then
    address=$(lan_address)
    hosts="allowed_hosts = [\"127.0.0.1\", \"localhost\", \"${address:-127.0.0.1}\"]"
  fi
  cat >"$run_dir/$1.toml" <<END
name = "$1"
listen = "$3:$2"
internal_listen = "127.0.0.1:$5"
control = "ipc://$socket_dir/$1.control"
ingest = "ipc://$socket_dir/$1.ingest"
ready_file = "$run_dir/$1.ready"
web_root = "$root/build/web"
drain_time = "1s"
$hosts

[bus]
$4

$(list_rule)
subscribe = "anyone"
publish = "anyone"

$([ "$with_postgres" = no ] || { table_rule; echo 'subscribe = "anyone"'; })

[[channels]]
pattern = "demo:*"
subscribe = "anyone"
publish = "anyone"
END
}

start_and_await() { # NAME PROGRAM
  rm -f "$run_dir/$1.ready"
  start "$1" "$2" --config "$run_dir/$1.toml"
  await_ready "$1" "${started[-1]%% *}" "$run_dir/$1.ready" && return 0
  kill -KILL "${started[-1]%% *}" 2>/dev/null
  unset 'started[-1]'
  return 1
}

# vmstat 1 | peal publish --lines demo:load, with both ids known so that both can be stopped.
start_load() {
  rm -f "$run_dir/load.fifo"
  mkfifo "$run_dir/load.fifo"
  if command -v vmstat >/dev/null; then
    vmstat -n 1 >"$run_dir/load.fifo" 2>/dev/null </dev/null &
  else
    load_from_proc >"$run_dir/load.fifo" </dev/null &
  fi
  started+=("$! load")
  "$peal" publish --lines demo:load --control "$(control_of "${gateways[0]}")" \
    <"$run_dir/load.fifo" >"$run_dir/load.log" 2>&1 &
  started+=("$! load-publisher")
}

# Where there is no vmstat: the share of busy CPU time, once a second, from /proc/stat.
load_from_proc() {
  local cpu user nice system idle rest busy total busy_before=0 total_before=0
  while :; do
    read -r cpu user nice system idle rest </proc/stat
    busy=$((user + nice + system)) total=$((user + nice + system + idle))
    printf '{"cpu": %d}\n' $((100 * (busy - busy_before) / (total - total_before + 1)))
    busy_before=$busy total_before=$total
    pause 1
  done
}

control_of() { json_field "$run_dir/$1.ready" control; }
ingest_of() { json_field "$run_dir/$1.ready" ingest; }
url_of() {
  local listen
  listen=$(json_field "$run_dir/$1.ready" listen)
  echo "http://127.0.0.1:${listen##*:}/"
}
lan_address() {
  { command -v ip >/dev/null && ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p'; } ||
    hostname -I 2>/dev/null | cut -d' ' -f1
}
python_with() { # MODULE
  python3 -c "import $1" 2>/dev/null && echo python3 || echo /usr/bin/python3
}

say_how_to_use() {
  local name first=${gateways[0]} address
  note ""
  note "${bold}${green}Peal is running.${plain} Open it in two tabs, and say something:"
  for name in "${gateways[@]}"; do note "  ${bold}$(url_of "$name")${plain}  $name"; done
  if [ "$lan" = yes ]; then
    address=$(lan_address)
    [ -n "$address" ] && note "  ${bold}$(url_of "$first" | sed "s/127.0.0.1/$address/")${plain}  from a phone in the same network"
  fi
  note "A to-do list that works offline: ${bold}$(url_of "$first")todo.html${plain}"
  [ "$with_postgres" = no ] || say_postgres
  printf '%s\n' "" "From another terminal, each line works when pasted:" "" \
    "$peal publish --control $(control_of "$first") demo:room 'Hello from the command line'" "" \
    "curl -d '\"Hello from curl\"' $(url_of "$first")channels/demo:room" "" \
    "$(python_with zmq) -c '
import zmq
with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
    socket.connect(\"$(ingest_of "$first")\"); socket.send_multipart([b\"demo:room\", b\"\\\"Hello from Python\\\"\"])'"
  [ "$with_postgres" = no ] || say_psql
  printf '%s\n' "" "${dim}Logs: $run_dir/*.log. Ctrl-C stops it.${plain}"
}

# Until Ctrl-C; a process that ends by itself ends it all, and is named.
watch_processes() {
  local entry
  while :; do
    for entry in "${started[@]}"; do
      case ${entry#* } in load*) continue ;; esac
      alive "${entry%% *}" && continue
      warn "${entry#* } has ended; its log is $run_dir/${entry#* }.log:"
      tail -n 20 "$run_dir/${entry#* }.log" >&2
      exit 1
    done
    pause 0.5
  done
}

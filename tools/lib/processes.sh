# Starting processes and stopping exactly those, by their ids.

started=()   # "pid name", in the order of starting
temp_dirs=() # go when all has ended

# start NAME COMMAND... : in the background, output to build/run/NAME.log.
start() {
  local name=$1
  shift
  "$@" >"$run_dir/$name.log" 2>&1 </dev/null &
  started+=("$! $name")
}

alive() { kill -0 "$1" 2>/dev/null; }

# await_ready NAME PID FILE: until the process says that it is ready; 1 when it ends before.
await_ready() {
  local deadline=$(($(now_ms) + 20000))
  until [ -s "$3" ]; do
    alive "$2" || return 1
    [ "$(now_ms)" -lt "$deadline" ] || { warn "$1 is not ready after 20 s"; return 1; }
    pause 0.03
  done
}

# By a process of its own: a trap may come in the middle of it and pause too, and bash aborts or hangs
# when one `read -t` begins inside another.
pause() { sleep "$1"; }

# Last started, first stopped. TERM lets them drain (Postgres, which would wait for all of its
# clients, knows INT for that); whoever takes 5 s is killed.
stop_all() {
  local i entry deadline number pids=()
  for ((i = ${#started[@]} - 1; i >= 0; i--)); do
    entry=${started[i]%% *}
    number=TERM
    [ "${started[i]#* }" != postgres ] || number=INT
    kill -"$number" "$entry" 2>/dev/null && pids+=("$entry")
  done
  started=()
  deadline=$(($(now_ms) + 5000))
  for entry in "${pids[@]}"; do
    while alive "$entry" && [ "$(now_ms)" -lt "$deadline" ]; do pause 0.03; done
    ! alive "$entry" || kill -KILL "$entry" 2>/dev/null || true
    wait "$entry" 2>/dev/null || true
  done
  rm -rf ${temp_dirs[@]+"${temp_dirs[@]}"}
}

port_is_busy() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port WANTED: the first free one from there on.
free_port() {
  local port=$1
  while port_is_busy "$port"; do port=$((port + 1)); done
  echo "$port"
}

json_field() { # FILE NAME: a string field of a flat JSON object
  sed -n "s/.*\"$2\" *: *\"\([^\"]*\)\".*/\1/p" "$1"
}

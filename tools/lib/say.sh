# What the scripts say: step names with elapsed time, and failures with a plain reason.
# Colours on a terminal only. Everything a tool prints goes to build/log/<step>.log.

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  bold='' dim='' red='' green='' plain=''
fi

now_ms() { local now=${EPOCHREALTIME/[.,]/}; echo $((now / 1000)); }
seconds_since() { # START_MS -> "12.3 s"
  local elapsed=$(($(now_ms) - $1))
  printf '%d.%d s' $((elapsed / 1000)) $((elapsed % 1000 / 100))
}

note() { printf '%s\n' "$*"; }
warn() { printf '%s%s%s\n' "$red" "$*" "$plain" >&2; }
die() {
  warn "$1"
  shift
  [ $# -eq 0 ] || printf '%s\n' "$@" >&2
  exit 1
}

# step NAME COMMAND... : runs it with its output in a log; the log's end is shown when it fails.
step() {
  local name=$1 log="$log_dir/${1// /-}.log" step_began outcome=0
  shift
  mkdir -p "$log_dir"
  step_began=$(now_ms)
  printf '%s%-28s%s' "$bold" "$name" "$plain"
  show_progress "$name" "$log" "$step_began"
  "$@" >"$log" 2>&1 </dev/null || outcome=$?
  hide_progress "$name"
  step_ended "$name" "$step_began" "$outcome"
  [ "$outcome" -eq 0 ] || { tail -n 60 "$log" >&2; note "${dim}all of it: $log${plain}" >&2; }
  return "$outcome"
}

# On a terminal a long step shows how long it has taken and the last thing it said. The step itself
# stays in the foreground, so that Ctrl-C reaches it.
progress_pid=
show_progress() { # NAME LOG START_MS
  [ -n "$bold" ] || return 0
  (
    while sleep 0.5 && kill -0 $$ 2>/dev/null; do
      printf '\r%-28s%s  %s\e[K' "$1" "$(seconds_since "$3")" "$(tail -n 1 "$2" 2>/dev/null | cut -c -60)"
    done
  ) &
  progress_pid=$!
}
hide_progress() { # NAME
  [ -n "$progress_pid" ] || return 0
  kill "$progress_pid" 2>/dev/null
  wait "$progress_pid" 2>/dev/null
  progress_pid=
  printf '\r%s%-28s%s\e[K' "$bold" "$1" "$plain"
}

# live_step NAME COMMAND... : the same, but the output is shown as it comes.
live_step() {
  local name=$1 step_began outcome=0
  shift
  step_began=$(now_ms)
  printf '%s%s%s\n' "$bold" "$name" "$plain"
  "$@" </dev/null || outcome=$?
  printf '%-28s' "$name"
  step_ended "$name" "$step_began" "$outcome"
  return "$outcome"
}

step_ended() { # NAME START_MS OUTCOME
  local took
  took=$(seconds_since "$2")
  if [ "$3" -eq 0 ]; then printf '%sok%s      %8s\n' "$green" "$plain" "$took"
  else printf '%sfailed%s  %8s\n' "$red" "$plain" "$took"; fi
  [ -z "${times_file:-}" ] || printf '%s\t%s\n' "$1" "$took" >>"$times_file"
}

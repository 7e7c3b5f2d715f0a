# The steps of tools/test. Each leaves JUnit XML under build/results/; a step that fails without
# telling which test failed counts as one failure, and the next step goes on.

python() { # the tests' own when it is there
  if [ -x "$root/build/venv/bin/python" ]; then "$root/build/venv/bin/python" "$@"
  elif [ -x /usr/bin/python3 ]; then /usr/bin/python3 "$@"
  else python3 "$@"; fi
}

# Everything that the tests leave lying about goes here, and away in the end.
make_temp_dir() {
  TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/peal-test.XXXXXX")
  export TMPDIR
}
remove_temp_dir() { rm -rf "$TMPDIR"; }

run_steps() {
  local name wanted=("$@")
  [ ${#wanted[@]} -gt 0 ] || wanted=("${all_steps[@]}")
  for name in "${all_steps[@]}"; do
    [[ " ${wanted[*]} " == *" $name "* ]] && "step_$name"
  done
}

# attempt NAME COMMAND... : a step whose own results tell what failed; else it is one case itself.
attempt() {
  local name=$1 outcome=0 failures
  failures=$(failures_so_far)
  live_step "$@" || outcome=$?
  [ "$outcome" -eq 0 ] || [ "$failures" != "$(failures_so_far)" ] || ended_badly "$name" "$outcome"
}
# check NAME COMMAND... : a step that is itself the test.
check() {
  local name=$1 outcome=0
  step "$@" || outcome=$?
  if [ "$outcome" -eq 0 ]; then python "$root/tools/lib/count_results.py" --add "$results" "$name" passed
  else ended_badly "$name" "$outcome"; fi
}
failures_so_far() { python "$root/tools/lib/count_results.py" --failures "$results"; }
ended_badly() { python "$root/tools/lib/count_results.py" --add "$results" "$1" "exit code $2"; }

step_format() {
  check format format_is_right
}
format_is_right() {
  (cd "$root" && git ls-files -co --exclude-standard -- '*.cpp' '*.hpp' |
    xargs -r clang-format --dry-run -Werror)
}

step_build() { attempt build build_all dev; }
build_all() {
  configure "$1" && build "$1" || return 1
  [ ! -x "$root/gateway/web/build" ] || build_page
}

step_tidy() { check tidy python "$root/tools/lib/tidy.py" "$root"; }

step_unit() { attempt unit gtests dev unit unit_; }
step_conformance() { attempt conformance gtests dev conformance conformance; }
gtests() { # PRESET RESULTS PREFIX
  python "$root/tools/lib/run_gtests.py" "$root/build/$1/bin" "$3" "$results/$1-$2"
}

# Brokers, gateways and clients in one thread, on a clock and a network of the test's own.
step_simulation() { check simulation env PEAL_BIN="$root/build/dev/bin" "$root/tests/simulation/run" --check; }

# Mutation fuzzers with fixed seeds: short here, longer by hand.
step_fuzz() { fuzz dev 20000; }
fuzz() { # PRESET ITERATIONS
  local program
  for program in "$root/build/$1"/bin/*_fuzz; do
    [ ! -x "$program" ] || check "$1 $(basename "$program")" timeout 300 "$program" --iterations "$2" --seed 1
  done
}

step_style() { need_venv && attempt style pytests style dev "$root/tests/style"; }
step_system() {
  local folders=() folder
  for folder in system fault conformance/python bench; do
    compgen -G "$root/tests/$folder/test_*.py" >/dev/null && folders+=("$root/tests/$folder")
  done
  [ ${#folders[@]} -eq 0 ] || { need_venv && attempt system pytests system dev "${folders[@]}"; }
}
# What operators deploy: the chart, the alert rules, packages.
step_deploy() { need_venv && need_helm && attempt deploy pytests deploy dev "$root/tests/deploy"; }
pytests() { # RESULTS PRESET ARGUMENT...
  local name=$1 preset=$2
  shift 2
  (cd "$root/tests" && PEAL_BIN=$root/build/$preset/bin PYTHONDONTWRITEBYTECODE=1 \
    "$root/build/venv/bin/python" -m pytest -q -p no:cacheprovider --durations=5 \
    --basetemp="$TMPDIR/pytest-$name" --junitxml="$results/$preset-$name/pytest.xml" "$@")
}

# The Python libraries of the tests, in the versions and with the hashes of tests/requirements.txt.
need_venv() {
  local stamp=$root/build/venv/.installed base=/usr/bin/python3
  cmp -s "$root/tests/requirements.txt" "$stamp" && return 0
  [ -x "$base" ] || base=python3
  step "python libraries" make_venv "$base" || { ended_badly "python libraries" 1; return 1; }
  cp "$root/tests/requirements.txt" "$stamp"
}
make_venv() {
  rm -rf "$root/build/venv"
  "$1" -m venv "$root/build/venv" &&
    "$root/build/venv/bin/python" -m pip install -q --require-hashes -r "$root/tests/requirements.txt"
}

# Node: the machine's when it is 20 or newer, else the one from PyPI, in a folder of its own.
need_node() {
  local version
  version=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
  [ "${version:-0}" -lt 20 ] || return 0
  if ! cmp -s "$root/tests/requirements-node.txt" "$root/build/node/.installed"; then
    step "node from PyPI" make_node || { ended_badly "node from PyPI" 1; return 1; }
    cp "$root/tests/requirements-node.txt" "$root/build/node/.installed"
  fi
  export PATH=$root/build/node/bin:$PATH
}
make_node() {
  rm -rf "$root/build/node"
  /usr/bin/python3 -m venv "$root/build/node" &&
    "$root/build/node/bin/python" -m pip install -q --require-hashes -r "$root/tests/requirements-node.txt"
}
need_web_libraries() {
  local web=$root/gateway/web
  [ -f "$web/package.json" ] || return 1
  need_node || return 1
  cmp -s "$web/package-lock.json" "$web/node_modules/.installed" && return 0
  step "web libraries" npm --prefix "$web" ci --no-audit --no-fund ||
    { ended_badly "web libraries" 1; return 1; }
  cp "$web/package-lock.json" "$web/node_modules/.installed"
}
step_web() { need_web_libraries && attempt web npm_test web test; }
step_browser() {
  [ -d "$root/tests/web" ] && need_web_libraries && attempt browser npm_test browser test:browser
}
npm_test() { # RESULTS SCRIPT
  (cd "$root/gateway/web" && PEAL_BIN=$root/build/dev/bin \
    npm run --silent "$2" -- --reporter=default --reporter=junit --outputFile.junit="$results/$1.xml")
}

# Counts, then the full numbers of connections: what they leave behind and what waiting costs.
step_bench() {
  check bench env PEAL_BIN="$root/build/dev/bin" "$root/tests/bench/run" --smoke
  check instructions python "$root/tests/bench/instructions" --bin "$root/build/dev/bin"
  check cluster python "$root/tests/bench/cluster" --bin "$root/build/dev/bin" --brokers 1,3 --smoke
  check monitor python "$root/tests/bench/monitor" --bin "$root/build/dev/bin" --smoke
  check "10,000 connections" env PEAL_BIN="$root/build/dev/bin" "$root/tests/bench/run" --smoke --full \
    cycles idle idle_tls connects stopped_reader recoveries
}
# Unit, conformance and one short system test under a sanitizer.
run_sanitized() {
  local preset=$1 suppressions=$root/tools/lib/suppressions
  export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export LSAN_OPTIONS=print_suppressions=0
  export TSAN_OPTIONS=suppressions=$suppressions/tsan.txt:halt_on_error=1:second_deadlock_stack=1
  attempt "$preset build" build_all "$preset"
  attempt "$preset unit" gtests "$preset" unit unit_
  attempt "$preset conformance" gtests "$preset" conformance conformance
  check "$preset simulation" "$root/build/$preset/bin/simulation" --seeds 1..100
  fuzz "$preset" 5000
  if compgen -G "$root/tests/system/test_*.py" >/dev/null; then
    need_venv && attempt "$preset system" pytests system "$preset" -m sanitized "$root/tests/system"
  fi
}

run_coverage() {
  attempt "coverage build" build_all coverage
  find "$root/build/coverage" -name '*.gcda' -delete
  attempt "coverage unit" gtests coverage unit unit_
  attempt "coverage conformance" gtests coverage conformance conformance
  if compgen -G "$root/tests/system/test_*.py" >/dev/null; then
    need_venv && attempt "coverage system" pytests system coverage "$root/tests/system"
  fi
  attempt "line coverage" python "$root/tools/lib/coverage.py" "$root" 85
}

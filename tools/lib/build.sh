# Building by presets: configure once, then ninja; and the page, by Debian's esbuild.

# As many jobs as cores, but 1.2 GB of memory for each: Beast and Asio are large.
job_count() {
  local cores memory
  cores=$(nproc 2>/dev/null || echo 2)
  memory=$(awk '/^MemAvailable/ { print int($2 / 1200000) }' /proc/meminfo 2>/dev/null)
  [ "${memory:-1}" -ge 1 ] || memory=1
  [ "$memory" -lt "$cores" ] && echo "$memory" || echo "$cores"
}

configure() { # PRESET; ninja itself notices later changes of the CMake files
  [ -f "$root/build/$1/build.ninja" ] && return 0
  (cd "$root" && cmake --preset "$1")
}
build() { # PRESET [TARGET...]
  local preset=$1
  shift
  (cd "$root" && cmake --build "build/$preset" -j "$(job_count)" ${1:+--target "$@"})
}

page_is_fresh() {
  [ -f "$root/build/web/index.html" ] &&
    [ -z "$(find "$root/gateway/web" -name node_modules -prune -o -type f -newer "$root/build/web/index.html" -print -quit)" ]
}
build_page() { page_is_fresh || "$root/gateway/web/build" "$root/build/web"; }

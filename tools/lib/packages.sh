# Packages from Debian: which of a list are missing, and installing just those.
#
# A line of tools/lib/packages/*.txt is `package  probe  # why`, where package may be `a|b` (the
# first that can be had) and the probe is what shows on any system that it is there:
# cmd:NAME, pc:PKGCONFIG, file:PATH under an include folder, py:MODULE, or - for none.

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}
on_debian() { command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; }

# The lines of the lists without comments: "package<TAB>probe<TAB>why".
package_rows() {
  local list package probe why
  for list in "$@"; do
    while read -r package probe why; do
      case $package in '' | '#'*) continue ;; esac
      printf '%s\t%s\t%s\n' "$package" "$probe" "${why#'# '}"
    done <"$root/tools/lib/packages/$list.txt"
  done
}

probe_found() {
  local what=${1#*:}
  case $1 in
    cmd:*) command -v "$what" >/dev/null ;;
    pc:*) command -v pkg-config >/dev/null && pkg-config --exists "$what" ;;
    file:*) compgen -G "/usr/include/$what" >/dev/null || compgen -G "/usr/include/*/$what" >/dev/null ||
      compgen -G "/usr/local/include/$what" >/dev/null ;;
    py:*) /usr/bin/python3 -c "import $what" 2>/dev/null || python3 -c "import $what" 2>/dev/null ;;
    *) true ;;
  esac
}

# missing_packages LIST... : rows of what isn't there.
missing_packages() {
  local rows package probe why installed name
  rows=$(package_rows "$@")
  if on_debian; then
    installed=$'\n'$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null |
      awk '$1 == "ii" { print $2 }')$'\n'
  fi
  while IFS=$'\t' read -r package probe why; do
    if on_debian; then
      for name in ${package//|/ }; do [[ $installed == *$'\n'"$name"$'\n'* ]] && continue 2; done
    else
      probe_found "$probe" && continue
    fi
    printf '%s\t%s\t%s\n' "$package" "$probe" "$why"
  done <<<"$rows"
}

# has_candidate PACKAGE: apt knows a version it could install.
has_candidate() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }

# need_packages LIST... : installs what is missing, or says plainly why it can't.
# `ask` (yes|no) decides whether a terminal is asked first; `keep_services_off` whether
# packages' services are kept from starting meanwhile.
need_packages() {
  local missing chosen=() unknown=() package probe why name answer
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  if ! on_debian; then
    warn "This isn't a Debian system, so nothing can be installed for you. Missing here:"
    while IFS=$'\t' read -r package probe why; do
      printf '  %-24s %s (%s)\n' "${probe#*:}" "$why" "Debian: ${package%%|*}" >&2
    done <<<"$missing"
    exit 1
  fi
  note "To install from Debian:"
  while IFS=$'\t' read -r package probe why; do
    printf '  %-24s %s\n' "${package%%|*}" "$why"
  done <<<"$missing"
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    die "Packages are missing and you are neither root nor is there sudo." \
      "Run as root: apt-get install$(cut -f1 <<<"$missing" | sed 's/|.*//; s/^/ /' | tr -d '\n')"
  fi
  if [ "${ask:-no}" = yes ] && [ -t 0 ] && [ -t 1 ]; then
    read -r -p "Go on? [Y/n] " answer
    case $answer in '' | y | Y | yes) ;; *) die "Nothing was installed." ;; esac
  fi
  step "package lists" as_root apt-get update -q || true
  while IFS=$'\t' read -r package probe why; do
    for name in ${package//|/ }; do
      has_candidate "$name" && { chosen+=("$name"); continue 2; }
    done
    unknown+=("  ${package//|/ or }: $why")
  done <<<"$missing"
  [ ${#unknown[@]} -eq 0 ] || die "Your package sources don't have:" "${unknown[@]}" \
    "Peal is built on Debian 12 or newer; check /etc/apt/sources.list*."
  step "install ${#chosen[@]} packages" install_packages "${chosen[@]}" ||
    die "apt-get could not install them; its reason is above."
}

install_packages() {
  local outcome=0
  [ "${keep_services_off:-no}" = no ] || services_off
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" ||
    outcome=$?
  [ "${keep_services_off:-no}" = no ] || services_back
  return "$outcome"
}

# While packages are installed, invoke-rc.d is told not to start services; an own policy of the
# machine is put aside and comes back, also when the script is interrupted.
policy=/usr/sbin/policy-rc.d
services_off() {
  trap services_back EXIT
  [ ! -e "$policy" ] || as_root mv "$policy" "$policy.before-peal"
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
}
services_back() {
  trap - EXIT
  as_root rm -f "$policy"
  [ ! -e "$policy.before-peal" ] || as_root mv "$policy.before-peal" "$policy"
}

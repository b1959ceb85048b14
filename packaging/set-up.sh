#!/usr/bin/env bash
# Install what is missing: Debian packages by group, and the Python environment in .venv.
#
#   packaging/set-up.sh [--packages-only] GROUP...     groups: python lab containers browser database judges compiler
#
# Idempotent: a second run finds everything and takes well under a second.  Services that a package
# brings are neither started nor left enabled.  Root, or a user who may sudo.  PYTHON=... names the Python that a new
# .venv is made with; without it that is the system's own, if it is 3.11 or 3.12.
set -euo pipefail
cd "$(dirname "$0")/.."

# group -> "command-or-file:package" : the package is installed when the command or file is not there.
declare -A GROUPS_OF=(
  [python]="a-python:python3 a-python:python3-venv /etc/ssl/certs/ca-certificates.crt:ca-certificates"
  [lab]="kamailio:kamailio /usr/lib/x86_64-linux-gnu/kamailio/modules/ims_auth.so:kamailio-ims-modules
         /usr/lib/x86_64-linux-gnu/kamailio/modules/presence.so:kamailio-presence-modules /etc/protocols:netbase ip:iproute2
         freeDiameterd:freediameterd /usr/lib/freeDiameter/acl_wl.fdx:freediameter-extensions nft:nftables tshark:tshark dumpcap:wireshark-common nsenter:util-linux faketime:faketime"
  [judges]="freeDiameterd:freediameterd /usr/lib/freeDiameter/acl_wl.fdx:freediameter-extensions erl:erlang-base
            /usr/share/doc/erlang-diameter:erlang-diameter openssl:openssl tshark:tshark ip:iproute2 faketime:faketime"
  [compiler]="cc:gcc /usr/include/stdlib.h:libc6-dev /usr/include/openssl/ssl.h:libssl-dev /usr/include/python3.11/Python.h:python3-dev"
  [database]="pg_virtualenv:postgresql-common /usr/lib/postgresql/15/bin/postgres:postgresql-15 mkfs.ext4:e2fsprogs"
  [containers]="podman:podman runc:runc conmon:conmon /usr/lib/podman/netavark:netavark /usr/lib/podman/aardvark-dns:aardvark-dns
         iptables:iptables debootstrap:debootstrap /lib/systemd/systemd:systemd"
  [browser]="chromium:chromium /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf:fonts-dejavu-core"
)

say()  { printf 'set-up: %s\n' "$*" >&2; }
fail() { printf 'set-up: error: %s\n' "$*" >&2; exit 1; }

have() { case $1 in a-python) [ -n "${PYTHON:-}" ] || (python_of) >/dev/null 2>&1 ;; /*) [ -e "$1" ] ;; *) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ;; esac; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1; then sudo -- "$@"
  else fail "$1 needs root: run as root, or install sudo"; fi
}

missing_packages() {
  local group pair
  for group in "$@"; do
    [ -n "${GROUPS_OF[$group]:-}" ] || fail "no such group: $group (known: ${!GROUPS_OF[*]})"
    for pair in ${GROUPS_OF[$group]}; do have "${pair%%:*}" || printf '%s\n' "${pair##*:}"; done
  done | sort -u
}

# A package's service must not run beside the lab: starts are denied while we install, and the units
# that came with it are disabled again.
install_packages() {
  local before after unit policy=/usr/sbin/policy-rc.d ours=
  before=$(ls /lib/systemd/system/*.service 2>/dev/null | sort)
  if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    trap "as_root rm -f $policy" EXIT
  fi
  as_root apt-get update -qq -o Acquire::Retries=3 >/dev/null
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >"$LOG" 2>&1 ||
    { tail -n 20 "$LOG" >&2; fail "apt-get install failed; the whole log is $LOG"; }
  if [ -n "$ours" ]; then as_root rm -f "$policy"; trap - EXIT; fi
  after=$(ls /lib/systemd/system/*.service 2>/dev/null | sort)
  for unit in $(comm -13 <(printf '%s\n' "$before") <(printf '%s\n' "$after")); do
    case $unit in
      */kamailio*|*/freediameter*|*/postgresql*|*/podman*|*/dnsmasq*|*/epmd*)
        if command -v systemctl >/dev/null 2>&1; then as_root systemctl disable -q "$(basename "$unit")" >/dev/null 2>&1 || true; fi ;;
    esac
  done
}

ensure_packages() {
  local packages
  packages=$(missing_packages "$@")
  if [ -z "$packages" ]; then say "Debian packages for $*: all here"; return; fi
  . /etc/os-release 2>/dev/null || true
  if [ "${ID:-}" != debian ] || [ "${VERSION_ID:-}" != 12 ]; then
    fail "missing here: $(echo $packages) - install them (names of Debian 12; this is ${PRETTY_NAME:-an unknown system}) and run again"
  fi
  say "installing Debian packages: $(echo $packages) (a minute or two)"
  install_packages $packages
  packages=$(missing_packages "$@")
  [ -z "$packages" ] || fail "apt-get ended well, yet these are still missing: $(echo $packages)"
}

# PostgreSQL refuses to run as root, and no other user gets anywhere on a system whose / is closed to them, as it is
# after debootstrap into a folder of mktemp.
open_root() {
  local mode
  mode=$(stat -c %a /)
  case $mode in *[1357]) return ;; esac
  say "/ has mode $mode: nobody but root can run a program, and PostgreSQL runs as its own user; 755 now, as Debian has it"
  as_root chmod 755 /
}

# The system's Python comes first: its headers are those that the set-up installs, and the proxy took an eighth less
# processor time on Debian's than on one built as a shared library, as version managers do (docs/performance.md).
python_of() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    is_usable "$PYTHON" || fail "PYTHON=$PYTHON is no Python 3.11 or 3.12 with venv"
    printf '%s\n' "$PYTHON"; return
  fi
  for candidate in /usr/bin/python3 python3.11 python3.12 python3; do
    if is_usable "$candidate"; then printf '%s\n' "$candidate"; return; fi
  done
  fail "no Python 3.11 or 3.12 with venv here; PYTHON=/path/to/python3 names one"
}

base_of() { "$1" -c 'import sys; print(sys.base_prefix, *sys.version_info[:3])' 2>/dev/null || true; }

is_usable() { "$1" -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }

ensure_venv() {
  local digest stamp python
  digest=$(sha256sum pyproject.toml | cut -c1-16)
  stamp=.venv/.complete-$digest
  python=$(python_of)
  if [ -n "${PYTHON:-}" ] && [ -e .venv ] && [ "$(base_of .venv/bin/python)" != "$(base_of "$python")" ]; then
    say ".venv is of another Python than $python: making it anew"
    rm -rf .venv
  fi
  if [ -e "$stamp" ] && .venv/bin/python -c '' 2>/dev/null; then say "Python environment .venv: complete"; return; fi
  if [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null; then
    say "bringing .venv ($(.venv/bin/python --version)) up to date (a minute or two)"
  else
    say "making .venv with $("$python" --version) ($python) and installing Python packages (a minute or two)"
    rm -rf .venv
    "$python" -m venv .venv
  fi
  # The hot path is compiled afterwards, where everything that it imports is there: ensure_hot_path.
  MC_HOT_PATH=plain .venv/bin/python -m pip install -q --disable-pip-version-check --config-settings editable_mode=compat -e '.[ue,lab,dev]' >"$LOG" 2>&1 ||
    { tail -n 20 "$LOG" >&2; fail "pip install failed; the whole log is $LOG"; }
  rm -f .venv/.complete-*
  : >"$stamp"
}

# Ten programs start at once in the lab: none of them should compile the sources first.
compile_sources() { .venv/bin/python -m compileall -q -j 0 mmserver diameter_proxy ue_agent lab; }

# The proxy's hot path, compiled where that can be done (setup.py); the proxy itself says what it runs (--version).
ensure_hot_path() {
  local kind
  kind=$(.venv/bin/python -c 'from diameter_proxy.hot_path import KIND; print(KIND)')
  if [ "$kind" = compiled ] || [ "${MC_HOT_PATH:-}" = plain ]; then return; fi
  if ! .venv/bin/python setup.py can_compile; then
    say "no C compiler or no headers of Python: the proxy's hot path runs as plain Python" \
      "(packaging/set-up.sh compiler python compiles it)"; return
  fi
  say "compiling the proxy's hot path (some seconds)"
  .venv/bin/python setup.py -q build_ext --inplace >"$LOG" 2>&1 ||
    { tail -n 20 "$LOG" >&2; fail "the hot path could not be compiled; the whole log is $LOG"; }
}

packages_only=
if [ "${1:-}" = --packages-only ]; then packages_only=yes; shift; fi
[ $# -gt 0 ] || set -- python lab
mkdir -p .set-up
LOG=$PWD/.set-up/install.log
# One set-up at a time: a second one waits for the first.
exec 9>.set-up/lock
flock 9
ensure_packages "$@"
case " $* " in *" database "*) open_root ;; esac
[ -n "$packages_only" ] || { ensure_venv; ensure_hot_path; compile_sources; }
say "ready"

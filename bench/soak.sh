#!/bin/sh
# Wears the shipped binary in: 600,000 short streams, 60,000 posts and more, 2 % upstreams that fail and 2 % clients that
# leave. Prints the table, writes it to $SOAK_RESULTS (target/soak.md), and fails when a goal is not met.
# bench/soak.sh [--quick]; see bench/README.md.
set -eu
cd "$(dirname "$0")/.."
profile=${BENCH_PROFILE:-release}
target=${CARGO_TARGET_DIR:-target}
cargo build --locked --profile "$profile" --bin serverrs
cargo build --locked --release --manifest-path bench/Cargo.toml --target-dir "$target/bench"
exec "$target/bench/release/bench" run --server "$target/$profile/serverrs" \
    --results "${SOAK_RESULTS:-$target/soak.md}" --nginx-template bench/nginx.conf --only soak "$@"

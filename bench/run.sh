#!/bin/sh
# Measures the shipped binary beside nginx on this machine: prints the table and rewrites bench/RESULTS.md.
# bench/run.sh [--quick] [--only start,extraction,overload,bytes,delay,joined,slideshow,crowd]; see bench/README.md.
set -eu
cd "$(dirname "$0")/.."
profile=${BENCH_PROFILE:-release}
results=${BENCH_RESULTS:-bench/RESULTS.md}
fixtures=${SERVERRS_FIXTURES:-../shared/fixtures}
page=$fixtures/tiktok/pages/video_7524919459643919624_2025-08.html
players=$fixtures/youtube/player

command -v nginx >/dev/null || {
    echo "bench: nginx is missing (Debian: apt-get install nginx-light)" >&2
    exit 1
}
command -v ffmpeg >/dev/null || {
    echo "bench: ffmpeg is missing (Debian: apt-get install ffmpeg)" >&2
    exit 1
}
cargo build --locked --profile "$profile" --bin serverrs
target=${CARGO_TARGET_DIR:-target}
cargo build --locked --release --manifest-path bench/Cargo.toml --target-dir "$target/bench"
if [ -f "$page" ]; then
    set -- --recording "$page" "$@"
fi
if [ -d "$players" ]; then
    set -- --players "$players" "$@"
fi
exec "$target/bench/release/bench" run --server "$target/$profile/serverrs" --results "$results" \
    --nginx-template bench/nginx.conf "$@"

#!/usr/bin/env bash
# Fuzzes every reader of foreign bytes, guided by coverage: fuzz/run.sh [SECONDS] [TARGET...]
#
# Each target runs for SECONDS (60) from its committed corpus; what is found beyond it stays in target/fuzz. An input that
# breaks a promise ends the run and is left beside. Works on the stable toolchain; needs a C++ compiler for libFuzzer.
set -euo pipefail
cd "$(dirname "$0")"

readonly SECONDS_EACH="${1:-60}"
readonly WORK="../target/fuzz"
shift || true

# What cargo-fuzz passes, without what only the nightly toolchain has: there is no unsafe code for a sanitizer to watch.
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing" \
    cargo build --release --quiet --target "$(rustc -vV | sed -n 's/^host: //p')" --target-dir "$WORK/build"
program="$(find "$WORK/build" -path '*/release/fuzz' -type f)"

targets=("$@")
if ((${#targets[@]} == 0)); then
    targets=(corpus/*)
    targets=("${targets[@]#corpus/}")
fi
for target in "${targets[@]}"; do
    mkdir -p "$WORK/corpus/$target" "$WORK/found/$target"
    log="$WORK/$target.log"
    if ! FUZZ_TARGET="$target" "$program" "$WORK/corpus/$target" "corpus/$target" \
        -max_total_time="$SECONDS_EACH" -timeout=1 -rss_limit_mb=512 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$WORK/found/$target/" 2>"$log"; then
        tail -n 30 "$log"
        echo "$target: broken by what lies in $WORK/found/$target"
        exit 1
    fi
    runs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    peak="$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")"
    echo "$target: $runs runs in $SECONDS_EACH s, nothing found, at most $peak MiB"
done

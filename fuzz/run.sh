#!/usr/bin/env bash
# Fuzzes every reader of foreign bytes, guided by coverage: fuzz/run.sh [SECONDS] [TARGET...]
#
# Each target runs for SECONDS (60) from its committed corpus; what is found beyond it stays in target/fuzz. An input that
# breaks a promise ends its target and is left beside; the others run all the same, and the broken ones are named at the
# end. Works on the stable toolchain; needs a C++ compiler for libFuzzer.
set -euo pipefail
cd "$(dirname "$0")"

readonly SECONDS_EACH="${1:-60}"
readonly WORK="../target/fuzz"
shift || true

# What cargo-fuzz passes, without what only the nightly toolchain has: there is no unsafe code for a sanitizer to watch.
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing" \
    cargo build --release --locked --quiet --target "$(rustc -vV | sed -n 's/^host: //p')" --target-dir "$WORK/build"
program="$(find "$WORK/build" -path '*/release/fuzz' -type f)"

# The last figure of this name in a log of libFuzzer.
figure() {
    sed -n "s/.*$1: *\([0-9]*\).*/\1/p" "$2" | tail -n 1
}

# Runs one target; fails when it breaks.
fuzz() {
    local target="$1" log="$WORK/$1.log"
    mkdir -p "$WORK/corpus/$target" "$WORK/found/$target"
    if ! FUZZ_TARGET="$target" "$program" "$WORK/corpus/$target" "corpus/$target" \
        -max_total_time="$SECONDS_EACH" -timeout=1 -rss_limit_mb=512 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$WORK/found/$target/" 2>"$log"; then
        tail -n 30 "$log"
        echo "$target: broken by what lies in $WORK/found/$target"
        return 1
    fi
    echo "$target: $(figure stat::number_of_executed_units "$log") runs in $SECONDS_EACH s," \
        "$(figure cov "$log") edges covered, nothing found, at most $(figure stat::peak_rss_mb "$log") MiB"
}

targets=("$@")
if ((${#targets[@]} == 0)); then
    targets=(corpus/*)
    targets=("${targets[@]#corpus/}")
fi
broken=()
for target in "${targets[@]}"; do
    fuzz "$target" || broken+=("$target")
done
if ((${#broken[@]})); then
    echo "broken: ${broken[*]}"
    exit 1
fi

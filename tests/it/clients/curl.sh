#!/bin/sh
# A shell client of the kind people have: curl and jq, the first format of the list.
# Usage: curl.sh BASE POST_ADDRESS FILE
set -eu
base=$1 post=$2 file=$3

answer=$(curl --silent --show-error --noproxy '*' -X POST "$base/tiktok" \
  -H "Content-Type: application/json" \
  -d "{\"url\": \"$post\"}")

code=$(printf '%s' "$answer" | jq -r '.code')
if [ "$code" != 0 ]; then
  printf '%s\n' "$answer" | jq -r '.message' >&2
  exit 1
fi

stream_data=$(printf '%s' "$answer" | jq -r '.data.video_data[0].streamData')
curl --silent --show-error --fail --noproxy '*' "$base/stream?data=$stream_data" --output "$file"

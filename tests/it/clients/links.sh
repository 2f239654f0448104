#!/bin/sh
# A shell client of the other shape: the links of `download_link`, as they are.
# Usage: links.sh BASE POST_ADDRESS FILE
set -eu
base=$1 post=$2 file=$3

answer=$(curl --silent --show-error --fail --noproxy '*' -X POST "$base/tiktok" \
  -H "Content-Type: application/json" -d "{\"url\":\"$post\"}")

case $(printf '%s' "$answer" | jq -r '.status') in
  tunnel) link=$(printf '%s' "$answer" | jq -r '.download_link.no_watermark_hd') ;;
  picker) link=$(printf '%s' "$answer" | jq -r '.download_link.no_watermark[0]') ;;
  *) printf 'unexpected: %s\n' "$answer" >&2; exit 1 ;;
esac
curl --silent --show-error --fail --location --noproxy '*' -o "$file" "$link"

#!/bin/sh
# The five checks with which operators tried the predecessor of this server.
# Usage: five_checks.sh BASE POST_ADDRESS
set -u
base=$1 post=$2
failed=0

check() {
  if [ "$2" = yes ]; then
    echo "$1: PASS"
  else
    echo "$1: FAIL"
    failed=1
  fi
}

status_of() {
  curl --silent --noproxy '*' -o /dev/null -w '%{http_code}' "$@"
}

post_status() {
  status_of -X POST "$base/tiktok" -H "Content-Type: application/json" -d "$1"
}

[ "$(status_of "$base/health")" = 200 ] && ok=yes || ok=no
check "1 health" $ok

answer=$(curl --silent --noproxy '*' -X POST "$base/tiktok" -H "Content-Type: application/json" \
  -d "{\"url\":\"$post\"}" -w '\n%{http_code}')
ok=no
if [ "$(printf '%s\n' "$answer" | tail -n 1)" = 200 ]; then
  printf '%s' "$answer" | grep -q '"status":"tunnel"\|"status":"picker"' && ok=yes
fi
check "2 extraction" $ok

[ "$(post_status '{"url":"https://invalid.com/video"}')" = 400 ] && ok=yes || ok=no
check "3 invalid address" $ok

case $(post_status '{}') in 400 | 422) ok=yes ;; *) ok=no ;; esac
check "4 missing address" $ok

curl --silent --noproxy '*' -i -X OPTIONS "$base/tiktok" -H "Origin: https://example.com" \
  -H "Access-Control-Request-Method: POST" | grep -q "Access-Control-Allow-Origin" && ok=yes || ok=no
check "5 CORS" $ok

exit $failed

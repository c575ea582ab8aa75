#!/bin/sh
# Counts of one run from its raw logs alone, with jq and grep: `bench/count.sh RUN_FOLDER`, one JSON object.
# Cargo's JSON is believed until build-finished; what follows is the program's own text.
set -eu
run=$1
logs="$run/out.log"
[ -f "$run/err.log" ] && logs="$logs $run/err.log"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
escape=$(printf '\033')
# Lines end at \n, progress at \r; colours and erasures are no text.
# shellcheck disable=SC2086
cat $logs | tr '\r' '\n' | sed "s/$escape\[[0-9;]*[mK]//g" >"$work/text"
grep -a '^{"reason":"' "$work/text" | sed '/"reason":"build-finished"/q' >"$work/json" || :
grep -av '^{"reason":"' "$work/text" >"$work/human" || :

units() { jq -c "select(.reason==\"compiler-artifact\" or .reason==\"build-script-executed\")$1" "$work/json" | grep -c . || :; }
lines() { grep -acE "$1" "$work/human" || :; }
total() { grep -aE '^test result: ' "$work/human" | grep -oE "[0-9]+ $1" | grep -oE '^[0-9]+' | jq -s 'add // 0'; }

# A diagnostic is a line `error: …`, `error[E0308]: …`; the sum at a crate's end and cargo's own summary are none.
errors=$(grep -aE '^error(\[[A-Z0-9]+\])?: ' "$work/human" | grep -avcE '^error: (could not compile|aborting due to|(doc)?test failed|bench failed|test run failed|[0-9]+ targets? failed)' || :)
warnings=$(grep -aE '^warning(\[[A-Z0-9]+\])?: ' "$work/human" |
  grep -avcE '^warning: (`[^`]*` \([^)]*\) generated [0-9]+ warning|build failed, waiting)' || :)
progress=$(grep -aoE '^ +Building \[[=> ]*\] [0-9]+/[0-9]+' "$work/human" | grep -oE '[0-9]+/[0-9]+$' | tail -n 1 || :)
printf '{"units": %d, "built": %d, "scripts": %d, "total": %d, "errors": %d, "warnings": %d, "compiling": %d, "passed": %d, "failed": %d, "ignored": %d}\n' \
  "$(units '')" "$(units ' | select(.fresh == false)')" "$(units ' | select(.reason=="build-script-executed")')" \
  "${progress##*/}" "$errors" "$warnings" "$(lines '^ +(Compiling|Checking) ')" \
  "$(total passed)" "$(total failed)" "$(total ignored)"

#!/bin/sh
# Calls every operation of the API with generated requests and holds the answers against the OpenAPI document.
#
#   python3 -m venv .venv && .venv/bin/pip install schemathesis==4.32.5
#   PATH=.venv/bin:$PATH tests/server/schemathesis.sh target/debug/earmark [EXAMPLES]
#
# Fails on a 5xx and on any answer or acceptance that the document does not allow. Not checked: that every request which is
# valid by the document is accepted, since a schema cannot say "a cursor of this list" or "bytes that are a sound"; and the
# stream of a job's events, which lasts as long as the job.
set -eu
earmark=$(realpath "$1")
work=$(mktemp -d)
cp -r "$(dirname "$0")/../../index-data/sounds" "$work/sounds"
export EARMARK_DB="$work/test.earmark" EARMARK_LOG=warn
"$earmark" index --quiet "$work/sounds"
address=127.0.0.1:7798
"$earmark" serve --quiet --listen "$address" --root "sounds=$work/sounds" --upload-root "$work/uploads" &
server=$!
trap 'kill $server; rm -rf "$work"' EXIT
sleep 3
# It keeps notes of its own where it runs.
cd "$work"
st run "http://$address/openapi.json" --url "http://$address" --request-timeout 20 --max-examples "${2:-50}" \
    --exclude-checks positive_data_acceptance --exclude-path-regex 'jobs/.*/events' --continue-on-failure

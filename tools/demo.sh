#!/bin/sh
# The dashboard example from nothing: start weir in an empty folder, fill it with two weeks of news
# through the AWS SDK, show and verify the dashboard. KEEP=1 leaves weir running; ITEMS=n sets how
# many news items there are.
set -eu
cd "$(dirname "$0")/.."
example=examples/dashboard-projection

folder=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo-XXXXXX")
mkfifo "$folder/out"
build/weir serve -c "$example/weir.yaml" --listen 127.0.0.1:0 --data "$folder/data" \
    >"$folder/out" 2>"$folder/log" &
weir=$!
finish() {
    kill "$weir" 2>/dev/null || true
    wait "$weir" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The line that names the port ends the wait; the rest of the output goes to the log.
exec 3<"$folder/out"
endpoint=
while read -r line <&3; do
    case $line in
    *'listening on http://'*)
        endpoint=http://${line##*http://}
        break
        ;;
    esac
done
if [ -z "$endpoint" ]; then
    echo "weir did not start:" >&2
    cat "$folder/log" >&2
    exit 1
fi
cat <&3 >>"$folder/log" &

export AWS_ENDPOINT_URL="$endpoint"
# The SDK warns of Debian's Node 18 in every program, though the pinned version runs on it.
export NODE_NO_WARNINGS=1
echo "weir serves $example/weir.yaml on $endpoint"
node "$example/generate.mjs" --items "${ITEMS:-5000}"
node "$example/show.mjs"
echo
node "$example/verify.mjs"

echo
if [ -n "${KEEP:-}" ]; then
    echo "weir goes on at $endpoint; press Ctrl-C to stop it. In another terminal:"
    echo "  export AWS_ENDPOINT_URL=$endpoint"
    echo "  node $example/show.mjs"
    echo "  build/weir status"
    wait "$weir"
else
    echo "Next: read $example/README.md and weir.yaml beside it;"
    echo "      'make demo KEEP=1' leaves weir running for your own queries."
fi

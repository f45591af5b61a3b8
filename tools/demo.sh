#!/bin/sh
# An example from nothing: start weir with its weir.yaml in an empty folder, and do what its demo.sh
# says. KEEP=1 leaves weir running.
#
#   tools/demo.sh [EXAMPLE]
#
# examples/EXAMPLE/demo.sh is read by this script: it may export settings for weir.yaml, and has a
# function `show`, which runs with AWS_ENDPOINT_URL, $example (the example's folder) and $folder (an
# empty one that is removed at the end).
set -eu
cd "$(dirname "$0")/.."
example=examples/${1:-dashboard-projection}
weir=${WEIR_BIN:-build/weir}

folder=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo-XXXXXX")
. "$example/demo.sh"
mkfifo "$folder/out"
"$weir" serve -c "$example/weir.yaml" --listen 127.0.0.1:0 --data "$folder/data" \
    >"$folder/out" 2>"$folder/log" &
server=$!
finish() {
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
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

export AWS_ENDPOINT_URL="$endpoint" WEIR_ENDPOINT="$endpoint"
# The SDK warns of Debian's Node 18 in every program, though the pinned version runs on it.
export NODE_NO_WARNINGS=1
echo "weir serves $example/weir.yaml on $endpoint"
show

echo
if [ -n "${KEEP:-}" ]; then
    echo "weir goes on at $endpoint; press Ctrl-C to stop it. In another terminal:"
    echo "  export AWS_ENDPOINT_URL=$endpoint WEIR_ENDPOINT=$endpoint"
    echo "  $weir status"
    wait "$server"
else
    echo "Next: read $example/README.md and weir.yaml beside it;"
    echo "      KEEP=1 leaves weir running for your own queries."
fi

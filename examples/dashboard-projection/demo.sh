# Read by tools/demo.sh. ITEMS=n sets how many news items there are.

show() {
    node "$example/generate.mjs" --items "${ITEMS:-5000}"
    node "$example/show.mjs"
    echo
    node "$example/verify.mjs"
}

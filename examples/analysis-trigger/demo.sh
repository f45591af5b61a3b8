# Read by tools/demo.sh.

# The minute between two analyses is long for people who look on.
export ANALYSIS_COOLDOWN=2s

show() {
    echo
    echo "A day of the sensor, and a backfill of two weeks, on virtual time:"
    cp -R "$example/weir.yaml" "$example/day.yaml" "$example/analyse" "$folder"
    node "$example/generate.mjs" --records "$folder"
    env -u ANALYSIS_COOLDOWN "$weir" test "$folder/day.yaml"

    echo
    echo "Now with the real function, as it happens:"
    node "$example/generate.mjs"
    "$weir" invoke analyse "{\"kind\":\"daily\",\"user\":\"ada\",\"at\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"}"
    node "$example/show.mjs"
}

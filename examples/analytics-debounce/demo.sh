# Read by tools/demo.sh.

# Five minutes of quiet are long for people who look on.
export ANALYTICS_QUIET=3s ANALYTICS_MAX_WAIT=30s
export REBUILD_QUIET_S=3 REBUILD_MAX_WAIT_S=30
export REBUILD_TARGET_ARN=arn:aws:lambda:us-east-1:000000000000:function:rebuild
export REBUILD_ROLE_ARN=arn:aws:iam::000000000000:role/scheduler

show() {
    echo
    echo "A burst of a thousand, and one without an end, both ways, on virtual time:"
    cp -R "$example/weir.yaml" "$example/burst.yaml" "$example/rebuild" "$folder"
    node "$example/generate.mjs" --records "$folder"
    env -u ANALYTICS_QUIET -u ANALYTICS_MAX_WAIT "$weir" test "$folder/burst.yaml" "$folder/signals.yaml"

    echo
    echo "As it happens, with the debounce step:"
    node "$example/edit.mjs"

    echo
    echo "And with an application that calls the Scheduler API:"
    node "$example/edit.mjs" --signal
    "$weir" schedule list
}

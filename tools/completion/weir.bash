# bash completion for weir. Commands and options as `weir help` lists them.
_weir() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="serve check test run simulate status alarms tail dlq timers replay rebuild put get delete query scan invoke match eval explain schedule help version"
    local options=""
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
        return
    fi
    case $before in
    -c | --config)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --data)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    esac
    case ${COMP_WORDS[1]} in
    help)
        if ((COMP_CWORD == 2)); then
            mapfile -t COMPREPLY < <(compgen -W "$commands errors steps step tests" -- "$word")
        elif [[ $before == step ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$(weir help steps | awk '{print $1}')" -- "$word")
        fi
        return
        ;;
    serve) options="--config --listen --data --help" ;;
    check) options="--config --json --help" ;;
    test) options="--only --format --json --verbose --help" ;;
    run) options="--config --format --ddb --help" ;;
    simulate) options="--config --table --after --functions --prices --speed --json --help" ;;
    status) options="--endpoint --json --lanes --help" ;;
    alarms) options="--endpoint --json --help" ;;
    tail) options="--endpoint --from --limit --ddb --json --help" ;;
    dlq) options="--endpoint --fingerprint --error --since --until --key --group --limit --stale --yes --json --help" ;;
    timers) options="--endpoint --limit --json --help" ;;
    replay) options="--endpoint --from --to --where --stale --wait --cancel --json --help" ;;
    rebuild) options="--endpoint --prune --wait --cancel --json --help" ;;
    put) options="--endpoint --condition --names --values --ddb --json --help" ;;
    get) options="--endpoint --ddb --json --help" ;;
    delete) options="--endpoint --ddb --json --help" ;;
    query) options="--endpoint --key --begins-with --from --to --reverse --index --limit --filter --names --values --ddb --json --help" ;;
    scan) options="--endpoint --index --limit --filter --names --values --ddb --json --help" ;;
    invoke) options="--endpoint --log --help" ;;
    match) options="--explain --item --json --help" ;;
    eval) options="--vars --var --record --ddb --typed --help" ;;
    explain) options="--config --json --help" ;;
    schedule) options="--endpoint --group --limit --timezone --from --count --json --help" ;;
    version) options="--json --help" ;;
    esac
    if [[ ${COMP_WORDS[1]} == tail && $before == --from ]]; then
        options="latest oldest"
    elif [[ ${COMP_WORDS[1]} == test && $before == --format ]]; then
        options="text tap junit json"
    elif [[ ${COMP_WORDS[1]} == run && $before == --format ]]; then
        options="writes records lambda"
    elif [[ ${COMP_WORDS[1]} == @(test|simulate) && $word != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    elif [[ ${COMP_WORDS[1]} == dlq ]] && ((COMP_CWORD == 2)); then
        options="list show redrive skip purge"
    elif [[ ${COMP_WORDS[1]} == timers ]] && ((COMP_CWORD == 2)); then
        options="fire cancel"
    elif [[ ${COMP_WORDS[1]} == schedule ]] && ((COMP_CWORD == 2)); then
        options="list explain"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _weir weir

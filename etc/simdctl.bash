# bash completion for simdctl(1)                                       -*- shell-script -*-

_simdctl()
{
    local cur prev words cword
    _init_completion 2>/dev/null || {
        COMPREPLY=()
        cur=${COMP_WORDS[COMP_CWORD]}
        prev=${COMP_WORDS[COMP_CWORD - 1]}
        words=("${COMP_WORDS[@]}")
        cword=$COMP_CWORD
    }

    local commands="add mul matmul conv2d mix hash run module submit status top metrics ping bench help"
    local global="--socket --json --verbose --backend --cache --deadline --priority --help --version"
    local files="--output --to --dtype --shape"

    # The first word that is neither an option nor its value.
    local command="" i
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        --socket | --backend | --cache | --deadline | --priority) ((i++)) ;;
        -*) ;;
        *)
            command=${words[i]}
            break
            ;;
        esac
    done

    case $prev in
    --backend) COMPREPLY=($(compgen -W "auto native wasm" -- "$cur")) ;;
    --cache) COMPREPLY=($(compgen -W "auto always never" -- "$cur")) ;;
    --priority) COMPREPLY=($(compgen -W "normal high low" -- "$cur")) ;;
    --to) COMPREPLY=($(compgen -W "npy raw pnm png" -- "$cur")) ;;
    --dtype) COMPREPLY=($(compgen -W "f32 i32 u8 u32" -- "$cur")) ;;
    --format) COMPREPLY=($(compgen -W "json prometheus openmetrics" -- "$cur")) ;;
    --border) COMPREPLY=($(compgen -W "keep zero replicate reflect101" -- "$cur")) ;;
    --rounding) COMPREPLY=($(compgen -W "nearest truncate" -- "$cur")) ;;
    --alpha)
        [[ $command == conv2d ]] && COMPREPLY=($(compgen -W "filter keep" -- "$cur"))
        ;;
    --op)
        COMPREPLY=($(compgen -W "add_f32 add_i32 add_u8 mul_f32 mul_i32 mul_u8 matmul_f32
            matmul_i32 matmul_u8 conv2d_f32 conv2d_i32 conv2d_u8 hash_fast hash_fnv1a_64
            mix_u32" -- "$cur"))
        ;;
    --socket | --output | -o | -C) COMPREPLY=($(compgen -f -- "$cur")) ;;
    --deadline | --shape | --shape-b | --beta | --param | --result | -p | --zero-a | --zero-b | --blur | --sigma | --box | \
        --size | --connections | --depth | --seconds | --count | --interval | --iterations | \
        -c | -i | -n) ;;
    *)
        if [[ -z $command && $cur != -* ]]; then
            COMPREPLY=($(compgen -W "$commands" -- "$cur"))
            return
        fi
        local own=""
        case $command in
        add | mul | mix) own=$files ;;
        matmul) own="$files --shape-b --alpha --beta --trans-a --trans-b --zero-a --zero-b" ;;
        conv2d)
            own="$files --blur --sigma --box --sharpen --edge --emboss --border --rounding --alpha"
            ;;
        hash) own="--fnv1a-64" ;;
        run) own="$files --param --result" ;;
        module)
            own="--all"
            local choice="-"
            case $prev in
            module) choice="add list show remove" ;;
            # the daemon knows the names, if it answers
            show | remove) choice=$(simdctl module list 2>/dev/null | cut -d' ' -f1) ;;
            esac
            if [[ $choice != - && $cur != -* ]]; then
                COMPREPLY=($(compgen -W "$choice" -- "$cur"))
                return
            fi
            ;;
        top) own="--interval --iterations" ;;
        metrics) own="--format" ;;
        ping) own="--count --interval" ;;
        bench) own="--op --size --connections --depth --seconds --count --arena" ;;
        help)
            COMPREPLY=($(compgen -W "$commands" -- "$cur"))
            return
            ;;
        esac
        if [[ $cur == -* ]]; then
            COMPREPLY=($(compgen -W "$global $own" -- "$cur"))
        else
            COMPREPLY=($(compgen -f -- "$cur"))
        fi
        ;;
    esac
} && complete -o filenames -F _simdctl simdctl

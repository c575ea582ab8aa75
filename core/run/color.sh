# Runs a test binary. Those with a harness of their own (names in the first argument) do not get `--color always`,
# which is libtest's.
own=$1
program=$2
shift 2
name=${program##*/}
name=${name%-*}
case ",$own," in
    *",$name,"*)
        left=$#
        while [ "$left" -gt 0 ]; do
            word=$1
            shift
            left=$((left - 1))
            if [ "$word" = --color ] && [ "$left" -gt 0 ] && [ "$1" = always ]; then
                shift
                left=$((left - 1))
            else
                set -- "$@" "$word"
            fi
        done
        ;;
esac
exec "$program" "$@"

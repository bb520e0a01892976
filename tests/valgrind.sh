#!/bin/sh
# Runs one test program under valgrind; any error or definite leak fails it. For
#     make check LOG_COMPILER=.../tests/valgrind.sh TESTS='$(check_PROGRAMS)'
# Check runs each test in a process of its own, which valgrind follows: each is looked at alone.
limit_s=900
here=$(cd "$(dirname "$0")" && pwd)
valgrind="valgrind --quiet --error-exitcode=9 --fair-sched=yes --suppressions=$here/valgrind.supp"
valgrind="$valgrind --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite"

case $1 in
*/test_daemon_* | */test_client_daemon)
    # The daemon is what these try; their own side is plain, so that it keeps the daemon busy.
    SIMDD_WRAPPER=$valgrind exec timeout "$limit_s" "$@"
    ;;
*/test_kernels_wasm)
    # The kernels run as code that the engine makes: valgrind would look at the engine alone.
    exec timeout "$limit_s" "$@"
    ;;
esac
# shellcheck disable=SC2086 # several words
exec timeout "$limit_s" $valgrind "$@"

#!/bin/sh
# Runs one test program under valgrind; any error or definite leak fails it.
case $1 in
*.sh) exec /bin/sh "$@" ;;
esac
exec valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
    --fair-sched=yes --trace-children=no "$@"

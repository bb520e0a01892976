#!/bin/sh
# docs/protocol.md and simdd-protocol(7) name every status and every op, once, as the tables have
# them: a status that is added without its line fails here.
set -u
export LC_ALL=C

top=${srcdir:-.}
doc=$top/docs/protocol.md
man=$top/docs/simdd-protocol.7
failed=0
tables=0

fail()
{
    echo "check_protocol_doc: $*" >&2
    failed=1
}

# "| 8 | `bad_shape` | sentence |" for every row of status.def
statuses=$(sed -n 's/^STATUS( *\([0-9]*\), *[A-Z0-9_]*, *"\([a-z0-9_]*\)", *"\(.*\)")$/\1|\2|\3/p' \
    "$top/protocol/status.def")
# "| 1 | `add_f32` | zip | f32 | f32 | help |" for every row of ops.def
ops=$(sed -n 's/^OP( *\([0-9]*\), *\([a-z0-9_]*\), *\([a-z0-9]*\), *\([a-z0-9]*\), *\([a-z0-9]*\), .*"\(.*\)")$/| \1 | `\2` | \3 | \4 | \5 | \6 |/p' \
    "$top/kernels/ops.def")

old_ifs=$IFS
IFS='
'
for row in $statuses; do
    code=${row%%|*}
    rest=${row#*|}
    name=${rest%%|*}
    sentence=${rest#*|}
    grep -qxF "| $code | \`$name\` | $sentence |" "$doc" || fail "$doc lacks status $code $name"
    grep -qxF ".It $code Cm $name" "$man" || fail "$man lacks status $code $name"
    tables=$((tables + 1))
done
for row in $ops; do
    grep -qxF "$row" "$doc" || fail "$doc lacks op: $row"
    tables=$((tables + 1))
done
IFS=$old_ifs

# neither less nor more: what the page has beyond the tables is out of date
defined=$(grep -c '^\(STATUS\|OP\)(' "$top/protocol/status.def" "$top/kernels/ops.def" |
    awk -F: '{ sum += $2 } END { print sum }')
printed=$(grep -c '^| [0-9][0-9]* | `[a-z0-9_]*` |' "$doc")
[ "$tables" -eq "$defined" ] || fail "read $tables of $defined rows of the tables"
[ "$printed" -eq "$defined" ] || fail "$doc has $printed rows, the tables have $defined"

if command -v mandoc >/dev/null 2>&1; then
    mandoc -T lint -W warning "$man" || fail "$man has errors"
fi
exit $failed

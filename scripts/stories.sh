#!/bin/sh
# Writes docs/stories.md: which tests prove which story. Tests name the story: `us_084_…`, `US-084 …`.
cd "$(dirname "$0")/.." || exit 1
{
    echo '# Stories and the tests that prove them'
    echo
    echo 'Written by `scripts/stories.sh` from the names of the tests; the vocabulary is that of the founding stories. A story that is not here is not built yet.'
    echo
    echo '| story | tests |'
    echo '| --- | --- |'
    {
        grep -rnoE 'fn (us_[0-9]{3}_)+[a-z0-9_]+' --include=*.rs actors gateway storage runner tests loadtests |
            sed -E 's/^([^:]+):[0-9]+:fn (.*)$/\2\t\1/'
        grep -rnoE "test\('(US-[0-9]{3} )+[^']+'" --include=*.ts web/e2e web/src |
            sed -E "s/^([^:]+):[0-9]+:test\('([^']+)'$/\2\t\1/"
    } | awk -F '\t' '{
        name = $1; file = $2; rest = tolower(name); gsub("-", "_", rest)
        while (match(rest, /us_[0-9][0-9][0-9]/)) {
            story = "US-" substr(rest, RSTART + 3, 3)
            list[story] = list[story] (list[story] ? "<br>" : "") "`" file "`: " name
            rest = substr(rest, RSTART + 6)
        }
    } END { for (story in list) print "| " story " | " list[story] " |" }' | sort
} > docs/stories.md

#!/bin/sh
# Goes through a recovery of PostgreSQL to a point in time, as docs/operations.md says it, on a server
# of its own in a new directory, which is deleted in the end. Needs Debian's PostgreSQL.
set -eu

bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
dir=$(mktemp -d /tmp/polycode-pitr-XXXXXX)
port=${PORT:-55499}
as() { "$@"; }
if [ "$(id -u)" = 0 ]; then
    chown postgres "$dir"
    as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
fi
sql() { "$bin/psql" -h "$dir" -p "$port" -U postgres -qAt -v ON_ERROR_STOP=1 -c "$1"; }
start() {
    now=$1
    as "$bin/pg_ctl" -D "$dir/$1" -l "$dir/log" -w -o "-k $dir -h '' -p $port" start >/dev/null
}
stop() { as "$bin/pg_ctl" -D "$dir/$now" -m immediate stop >/dev/null; }
trap 'stop 2>/dev/null || true; rm -rf "$dir"' EXIT

as mkdir "$dir/archive"
as "$bin/initdb" -D "$dir/data" -U postgres -A trust --no-sync >/dev/null
cat >>"$dir/data/postgresql.conf" <<CONF
archive_mode = on
archive_command = 'test ! -f $dir/archive/%f && cp %p $dir/archive/%f.part && sync $dir/archive/%f.part && mv $dir/archive/%f.part $dir/archive/%f'
archive_timeout = 60
CONF
start data
sql 'CREATE TABLE events (n int)'
as "$bin/pg_basebackup" -h "$dir" -p "$port" -U postgres -D "$dir/base" -c fast -X none
sql 'INSERT INTO events SELECT generate_series(1, 100)'
until=$(sql 'SELECT clock_timestamp()')
sql 'SELECT pg_sleep(0.05)' >/dev/null
sql 'DELETE FROM events'
last=$(sql 'SELECT pg_walfile_name(pg_switch_wal())')
until [ -e "$dir/archive/$last" ]; do sleep 0.1; done
stop

cat >>"$dir/base/postgresql.conf" <<CONF
restore_command = 'cp $dir/archive/%f %p'
recovery_target_time = '$until'
recovery_target_action = promote
archive_mode = off
CONF
as touch "$dir/base/recovery.signal"
start base
while [ "$(sql 'SELECT pg_is_in_recovery()')" = t ]; do sleep 0.1; done
found=$(sql 'SELECT count(*) FROM events')
[ "$found" = 100 ] || { echo "recovered $found rows of 100"; exit 1; }
echo "recovered to the moment before the mistake: $found rows of 100"

#!/bin/sh
# Inside the guest, as its first process: the runner's tests, each in a control group of its own,
# as root and then as an ordinary user who was given the group to rule.
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
# Something for hostile programs to find, and more descriptors than they are to have.
echo booted >/var/log/boot.log
ulimit -n 20000
mkdir -p /dev/shm
mount -t tmpfs shm /dev/shm
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
    ln -sf "${link#*:}" "/dev/${link%%:*}"
done
/busybox ip link set lo up
groups=/sys/fs/cgroup
echo "+cpu +memory +pids" >$groups/cgroup.subtree_control
. /what.sh
export POLYCODE_EXPECT_CGROUP=v2

echo "guest: $(uname -r), $(cat $groups/cgroup.controllers), $(nproc) processors"

# Runs a command in a group of its own: name, user, command.
in_group() {
    name=$1 user=$2
    shift 2
    number=$((number + 1))
    group=$groups/test-$number
    mkdir $group
    enter="echo \$\$ >$group/cgroup.procs && exec"
    if [ "$user" = nobody ]; then
        chown 65534:65534 $group $group/cgroup.procs $group/cgroup.threads $group/cgroup.subtree_control
        enter="$enter setpriv --reuid=65534 --regid=65534 --clear-groups"
    fi
    start=$(date +%s)
    if timeout 600 sh -c "$enter \"\$@\"" sh "$@" >/tmp/said 2>&1; then
        said=passed
    else
        said=failed
        cat /tmp/said
    fi
    echo "$said: $name as $user, $(($(date +%s) - start)) s" | tee /dev/ttyS1
}

# Nine tests at once, most of which wait for most of the time, but not on one emulated processor:
# 0.1 s of work took over 3 s, the limit of time on the wall.
left_out=
[ "$(nproc)" != 1 ] || left_out=confinement::an_ordinary_user_has_the_same_walls_but_groups

# Runs those of the tests whose names match, as a user.
run() {
    user=$1 wanted=$2
    for test in $("$tests" --list --format terse | sed -n 's/: test$//p' | grep -E -e "$wanted" | grep -E -e "$only"); do
        if [ "$test" = "$left_out" ]; then
            echo "left out: $test (nine tests at once need more than one processor)" | tee /dev/ttyS1
        else
            in_group "$test" "$user" "$tests" --exact "$test" --nocapture
        fi
    done
    if echo soak_runner | grep -q -E -e "$only"; then
        in_group "soak_runner 300" "$user" "$soak" 300
    fi
}

number=0
run root .
# What hangs on groups, with one that was given away. The other walls of an ordinary user are the
# same with groups and without.
run nobody '^(limits|slots)::|floods_of_(processes|memory)|wait_or_spin'
echo done >/dev/ttyS1
sync
/busybox poweroff -f

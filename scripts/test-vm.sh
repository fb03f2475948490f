#!/bin/sh
# Runs the runner's tests in a guest whose control groups are v2 and nothing else, whatever this
# machine has. The guest is Debian's kernel with this machine's /usr, read-only; nothing is
# installed, and nothing of the guest stays but its log.
set -eu
# `ONLY=limits::` runs those tests whose names match. The time is for software emulation on a busy
# machine; a guest that hangs would take for ever.
only=${ONLY:-.}
minutes=${POLYCODE_VM_MINUTES:-90}
vm=$(realpath -m "${CARGO_TARGET_DIR:-target}")/vm
root=$vm/initramfs/root

if ! command -v qemu-system-x86_64 >/dev/null || ! command -v apt-get >/dev/null; then
    echo "test-vm needs Debian or Ubuntu, and: apt-get install --no-install-recommends qemu-system-x86"
    exit 1
fi

# The kernel with modules for 9p, which the cloud kernel lacks.
if ! ls "$vm"/debs/boot/vmlinuz-* >/dev/null 2>&1; then
    mkdir -p "$vm/debs"
    kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\)/\1/p' | head -n 1)
    (cd "$vm/debs" && apt-get download -qq -o APT::Sandbox::User=root "$kernel" busybox-static)
    for package in "$vm"/debs/*.deb; do
        dpkg-deb -x "$package" "$vm/debs"
    done
    rm "$vm"/debs/*.deb
fi

cargo --quiet build -p runner --bins --examples
tests=$(cargo --quiet test -p runner --test it --no-run --message-format=json |
    sed -n 's/.*"name":"it".*"executable":"\([^"]*\)".*/\1/p')
target=$(dirname "$(dirname "$tests")")
shared=$(realpath "${POLYCODE_SHARED:-../shared}")

# What is tested, where it is here, as tests know the paths of their programs.
rm -rf "$vm/initramfs"
mkdir -p "$root$target/deps" "$root$target/examples" "$root$(dirname "$target")/tmp" "$root$shared"
cp "$tests" "$root$target/deps/"
cp "$target/polycode-sandbox" "$target/polycode-sandbox-without" "$root$target/"
cp "$target/examples/soak_runner" "$root$target/examples/"
for dir in attacks data/checker-cases; do
    [ ! -d "$shared/$dir" ] || (cd "$shared" && cp -r --parents "$dir" "$root$shared/")
done

mkdir -p "$root/etc"
cp -a /etc/alternatives /etc/ld.so.cache "$root/etc/"
# What languages have beside /usr, as in runner/src/languages.rs.
for beside in /etc/java-* /etc/mono /etc/R /etc/fpc* /etc/nim /var/lib/ghc; do
    [ -e "$beside" ] || continue
    mkdir -p "$root$(dirname "$beside")"
    cp -aL "$beside" "$root$beside"
done
printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"
for link in bin sbin lib lib64; do
    [ ! -L "/$link" ] || cp -a "/$link" "$root/"
done
cp scripts/test-vm-guest.sh "$root/guest.sh"
cat >"$root/what.sh" <<EOF
tests=$tests
soak=$target/examples/soak_runner
export POLYCODE_SHARED=$shared
only='$only'
EOF

cp "$vm/debs/bin/busybox" "$vm/initramfs/busybox"
cp scripts/test-vm-init.sh "$vm/initramfs/init"
# Each after those that it needs; the guest loads them by name.
nth=10
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci netfs fscache \
    9pnet 9pnet_virtio 9p; do
    nth=$((nth + 1))
    find "$vm/debs/lib/modules" -name "$module.ko" -exec cp {} "$vm/initramfs/$nth-$module.ko" \;
done
(cd "$vm/initramfs" && find . | ./busybox cpio -o -H newc 2>/dev/null | gzip -1 >"$vm/initramfs.gz")

# Starts a guest: how long it may take, then what is particular to it.
guest() {
    longest=$1
    shift
    timeout --foreground "$longest" qemu-system-x86_64 -M pc -m 2048 -nodefaults -no-reboot \
        -display none -kernel "$vm"/debs/boot/vmlinuz-* -serial stdio "$@" </dev/null
}

# Emulated, the guest's clock counts its instructions, so that limits of time depend less on what
# else this machine does. That goes with one processor only. And that there is a /dev/kvm, or that it
# takes orders, is not yet a guest that runs: one without a file system answers with its first line
# and a panic, or never.
accel="-accel tcg,tb-size=512 -cpu max -smp 1 -icount shift=0"
if [ -w /dev/kvm ] && guest 20 -accel kvm -cpu host -append "console=ttyS0 panic=-1" 2>&1 |
    grep -q "Linux version"; then
    accel="-accel kvm -cpu host -smp 2"
fi
echo "test-vm: $accel, at most $minutes minutes"

# What the guest says goes to the screen, what came of each test to a file, through a line of its own.
: >"$vm/results"
# shellcheck disable=SC2086
guest "${minutes}m" $accel -initrd "$vm/initramfs.gz" -append "console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off" \
    -fsdev local,id=usr,path=/usr,security_model=none,readonly=on,multidevs=remap \
    -device virtio-9p-pci,fsdev=usr,mount_tag=usr -serial "file:$vm/results" | tee "$vm/log"

count() { grep -c "^$1" "$vm/results" || true; }
echo "in the guest: $(count passed) passed, $(count failed) failed, $(count 'left out') left out"
grep '^failed' "$vm/results" || true
grep -q '^done' "$vm/results" || echo "the guest did not come to its end"
[ "$(count failed)" = 0 ] && [ "$(count passed)" -gt 0 ] && grep -q '^done' "$vm/results"

#!/busybox sh
# The guest's first process: makes a file system out of memory and the machine's /usr, as a first
# one cannot be left behind, which a sandbox does.
/busybox mkdir -p /proc /dev
/busybox mount -t devtmpfs dev /dev
for module in /*.ko; do
    /busybox insmod "$module"
done
/busybox mkdir /new
/busybox mount -t tmpfs -o mode=755 new /new
/busybox cp -a /root/. /new/
/busybox cp /busybox /new/busybox
/busybox mkdir -p /new/usr /new/proc /new/sys /new/dev /new/root
/busybox mkdir -m 1777 /new/tmp
/busybox mkdir -p /new/var/log /new/var/tmp /new/home /new/run /new/boot
/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,access=any,msize=512000 usr /new/usr
/busybox mount --move /dev /new/dev
exec /busybox switch_root /new /guest.sh

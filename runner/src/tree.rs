//! The files a run sees: the machine's `/usr`, read-only, and little else. Built once for each
//! helper, which then lives in it, so that a run's own mount namespace is a copy of a small one.

use std::{
    fs,
    io::{self, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::symlink,
    },
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags},
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
        mount_change, unmount,
    },
    thread::UnshareFlags,
};

use crate::{
    beside, languages,
    off::{Off, Wall},
    sys,
};

/// Where a run's own files are, and nothing else can be written.
pub(crate) const BOX: &str = "/box";
/// Where the program starts, with its source files or its compiled form.
pub(crate) const WORK: &str = "/box/work";

/// Who a run's programs are outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A user of their own that owns nothing on this machine.
    Unused(u32),
    /// The user of the server: only root may choose another one.
    Ours { uid: u32, gid: u32 },
}

/// The first of the users that nobody has: above all ranges that systemd hands out
/// (<https://systemd.io/UIDS-GIDS/>).
const UNUSED_UIDS_FROM: u32 = 0x7000_0000;

/// Moves this process into a tree of its own and leaves the machine's behind for good.
/// The directory `headers` of the machine is in it.
pub(crate) fn enter(headers: Option<&Path>, off: Off) -> anyhow::Result<Owner> {
    let owner = unshare(off)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)?;
    // By its descriptor, as it may be below the place that is covered now.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let headers = headers.map(|dir| rustix::fs::open(dir, flags, Mode::empty())).transpose()?;
    let root = Path::new("/tmp");
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", root, "tmpfs", flags, c"mode=755,size=8m")?;
    furnish(root, off)?;
    if let Some(headers) = headers {
        mount_headers(&headers, root)?;
    }
    std::env::set_current_dir(root)?;
    sys::set_read_only(c".", false)?;
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    std::env::set_current_dir("/")?;
    Ok(owner)
}

/// Leaves the machine's mounts and network. The empty network is that of all runs of this helper,
/// one after the other: a new one for each took a fifth of its time, and as this one belongs to
/// the helper's user namespace, no run has any right over it. What could stay in it are sockets,
/// which end with their processes.
fn unshare(off: Off) -> io::Result<Owner> {
    let network = if off.has(Wall::Network) { UnshareFlags::empty() } else { UnshareFlags::NEWNET };
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    if uid.is_root() && sys::unshare(UnshareFlags::NEWNS | network).is_ok() {
        // One for each living helper, so that no two runs are the same user.
        return Ok(Owner::Unused(UNUSED_UIDS_FROM + std::process::id() % (1 << 22)));
    }
    let (uid, gid) = (uid.as_raw(), gid.as_raw());
    sys::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS | network)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    Ok(Owner::Ours { uid, gid })
}

fn furnish(root: &Path, off: Off) -> anyhow::Result<()> {
    for dir in ["usr", "etc", "proc", "dev", "box"] {
        fs::create_dir(root.join(dir))?;
    }
    read_only_copy(Path::new("/usr"), &root.join("usr"))?;
    for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
        let host = Path::new("/").join(name);
        match fs::read_link(&host) {
            Ok(target) => symlink(target, root.join(name))?,
            Err(_) if host.is_dir() => {
                fs::create_dir(root.join(name))?;
                read_only_copy(&host, &root.join(name))?;
            }
            Err(_) => {}
        }
    }
    // A run mounts its own over it. Without this one in sight the kernel would not let it.
    mount_bind_recursive("/proc", root.join("proc"))?;
    devices(&root.join("dev"))?;
    symlink("box/tmp", root.join("tmp"))?;
    stubs(&root.join("etc"))?;
    if off.has(Wall::Tree) {
        for dir in
            ["home", "var", "run", "boot"].iter().filter(|dir| Path::new("/").join(dir).is_dir())
        {
            fs::create_dir_all(root.join(dir))?;
            read_only_copy(&Path::new("/").join(dir), &root.join(dir))?;
        }
    }
    for path in languages::BESIDE_USR {
        beside::copy(Path::new(path), root)?;
    }
    Ok(())
}

/// Puts precompiled headers where compilers look for them: to be read, and nothing else.
fn mount_headers(from: &OwnedFd, root: &Path) -> anyhow::Result<()> {
    let to = root.join(languages::HEADERS.trim_start_matches('/'));
    fs::create_dir(&to)?;
    mount_bind(format!("/proc/self/fd/{}", from.as_raw_fd()), &to)?;
    let to = std::ffi::CString::new(to.as_os_str().as_encoded_bytes())?;
    Ok(sys::set_data_only(&to)?)
}

fn read_only_copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    mount_bind_recursive(from, to)?;
    let to = std::ffi::CString::new(to.as_os_str().as_encoded_bytes())?;
    Ok(sys::set_read_only(&to, true)?)
}

fn devices(dev: &Path) -> anyhow::Result<()> {
    for name in ["null", "zero", "full", "random", "urandom"] {
        let node = dev.join(name);
        rustix::fs::open(&node, OFlags::CREATE | OFlags::CLOEXEC, Mode::RUSR)?;
        mount_bind(Path::new("/dev").join(name), &node)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("shm", "/box/shm"),
    ] {
        symlink(target, dev.join(name))?;
    }
    Ok(())
}

/// The little of `/etc` that programs look for. Nothing in it is the machine's own but the
/// loader's cache and the choice between alternatives.
fn stubs(etc: &Path) -> anyhow::Result<()> {
    fs::write(etc.join("passwd"), "candidate:x:1000:1000::/box/work:/bin/sh\n")?;
    fs::write(etc.join("group"), "candidate:x:1000:\n")?;
    fs::write(etc.join("nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files\n")?;
    fs::write(etc.join("hosts"), "127.0.0.1 localhost\n::1 localhost\n")?;
    if let Ok(cache) = fs::read("/etc/ld.so.cache") {
        fs::File::create(etc.join("ld.so.cache"))?.write_all(&cache)?;
    }
    let alternatives = etc.join("alternatives");
    fs::create_dir(&alternatives)?;
    let links = fs::read_dir("/etc/alternatives").into_iter().flatten().flatten();
    for link in links {
        if let Ok(target) = fs::read_link(link.path()) {
            symlink(target, alternatives.join(link.file_name()))?;
        }
    }
    Ok(())
}

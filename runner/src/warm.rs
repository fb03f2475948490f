//! An interpreter of Python that is kept warm, so that a run need not start one: a process of the
//! helper's tree that has loaded what programs use most, and of which runs are copies.
//!
//! What is absent: it reads nothing. An order comes as descriptors, which only its copies read; so
//! there is nothing of one run in it that the next could find. It is a new execution of our
//! program, not a copy of the helper, which has read orders.

use std::{
    ffi::CString,
    fs::File,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::{
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
    },
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::{
    frame::{self, Kind, Order},
    init::{self, Charge},
    languages,
    off::Off,
    seccomp::Filters,
    sys::{self, python::Python},
};

/// The second argument of our own executable as such a process; settings follow.
pub(crate) const QUESTION: &str = "--keep-python-warm";

/// The most descriptors of an order: six, the groups of a run, and one to start in.
const DESCRIPTORS_MAX: usize = 12;
/// What it says when it is ready. Anything else is why it is not.
const READY: &[u8] = b"ready";

/// Loads what programs use most, and leaves behind how one begins. Nothing of it stays in
/// `__main__`. Streams are made anew, as `python3` makes its own: they know what they are open to.
const WARM_UP: &str = include_str!("warm.py");

/// The warm process, as its helper holds it. Dropping it ends it; not its copies.
pub(crate) struct Warm {
    settings: Settings,
    process: Child,
    socket: UnixStream,
}

struct Settings {
    /// Our own executable, which is not in the tree.
    executable: OwnedFd,
    python: languages::Interpreter,
    sessions: bool,
    landlock: bool,
}

impl Warm {
    /// Starts it, and waits until it is ready. Fails if it cannot be.
    pub(crate) fn start(
        executable: OwnedFd,
        python: languages::Interpreter,
        sessions: bool,
        landlock: bool,
    ) -> anyhow::Result<Self> {
        let settings = Settings { executable, python, sessions, landlock };
        let (process, socket) = settings.start()?;
        Ok(Self { settings, process, socket })
    }

    /// Starts another one, if this one has ended.
    pub(crate) fn restored(&mut self) -> anyhow::Result<()> {
        if self.process.try_wait()?.is_some() {
            (self.process, self.socket) = self.settings.start()?;
        }
        Ok(())
    }

    /// As [`sys::clone_init`], for what `charge` says.
    pub(crate) fn clone_init(
        &self,
        group: Option<BorrowedFd<'_>>,
        charge: &Charge<'_>,
        order: &OwnedFd,
    ) -> anyhow::Result<(Pid, OwnedFd)> {
        let [stdin, stdout, stderr] = [&charge.stdin, &charge.stdout, &charge.stderr];
        let own = [stdin, stdout, stderr, &charge.go, &charge.report, order].map(AsFd::as_fd);
        let all: Vec<_> =
            own.into_iter().chain(group).chain(charge.groups.iter().copied()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut message = SendAncillaryBuffer::new(&mut space);
        assert!(message.push(SendAncillaryMessage::ScmRights(&all)), "there is space for all");
        let flags = [u8::from(group.is_some()), u8::from(charge.is_counted)];
        sendmsg(&self.socket, &[IoSlice::new(&flags)], &mut message, SendFlags::NOSIGNAL)?;
        let mut answer = [0; 4];
        (&self.socket).read_exact(&mut answer)?;
        let pid = Pid::from_raw(i32::from_le_bytes(answer));
        let pid = pid.ok_or_else(|| anyhow::anyhow!("no copy could be made"))?;
        // Nobody but us waits for it, so that this is still its number.
        Ok((pid, pidfd_open(pid, PidfdFlags::empty())?))
    }
}

impl AsFd for Warm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        if self.process.kill().and_then(|()| self.process.wait()).is_err() {
            tracing::debug!("the warm interpreter had ended");
        }
    }
}

impl Settings {
    fn start(&self) -> anyhow::Result<(Child, UnixStream)> {
        let (mut ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(format!("/proc/self/fd/{}", self.executable.as_raw_fd()));
        command.arg0(crate::zygote::ARGV[0]).arg(QUESTION);
        command.args([&self.python.path, &self.python.version]);
        command.args([self.sessions.to_string(), self.landlock.to_string()]);
        let environment = languages::environment();
        command.env_clear().envs(environment.iter().filter_map(|pair| pair.split_once('=')));
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        let mut process = command.spawn()?;
        // Which holds a copy of their end.
        drop(command);
        let mut said = [0; 512];
        let len = ours.read(&mut said)?;
        let said = said.get(..len).unwrap_or_default();
        if said != READY {
            process.kill()?;
            process.wait()?;
            anyhow::bail!("{}", String::from_utf8_lossy(said));
        }
        Ok((process, ours))
    }
}

/// Is the warm process, if this process was started as one: then it never comes back.
pub(crate) fn main_if_asked() {
    let arguments: Vec<String> = std::env::args().collect();
    let [name, question, path, version, sessions, landlock] = arguments.as_slice() else { return };
    if name != crate::zygote::ARGV[0] || question != QUESTION {
        return;
    }
    let python = languages::Interpreter { path: path.clone(), version: version.clone() };
    let served = serve(&python, sessions == "true", landlock == "true");
    std::process::exit(i32::from(served.is_err()));
}

fn serve(python: &languages::Interpreter, sessions: bool, landlock: bool) -> anyhow::Result<()> {
    let mut control = UnixStream::from(rustix::stdio::stdin().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let ready = || -> anyhow::Result<_> {
        let interpreter = Python::start(&python.library(), &python.path, &python.version)?;
        interpreter.execute(WARM_UP)?;
        let name = Path::new(&python.path).file_name().unwrap_or_default();
        rustix::thread::set_name(&CString::new(name.as_encoded_bytes())?)?;
        Ok((interpreter, Filters::compile(sessions)?))
    };
    let (interpreter, filters) = match ready() {
        Ok(ready) => ready,
        Err(why) => return Ok(control.write_all(format!("{why:#}").as_bytes())?),
    };
    control.write_all(READY)?;
    let keeper = Keeper { interpreter, filters, sessions, landlock };
    while let Some((flags, descriptors)) = receive(&control)? {
        let pid = keeper.copy(&control, flags, descriptors)?;
        control.write_all(&pid.as_raw_nonzero().get().to_le_bytes())?;
    }
    Ok(())
}

struct Keeper {
    interpreter: Python,
    filters: Filters,
    sessions: bool,
    landlock: bool,
}

impl Keeper {
    /// Makes the init of a run, a child of the helper. It does not inherit `control`.
    fn copy(
        &self,
        control: &UnixStream,
        [grouped, counted]: [u8; 2],
        descriptors: Vec<OwnedFd>,
    ) -> anyhow::Result<Pid> {
        let mut rest = descriptors.into_iter();
        let mut next = || rest.next().ok_or_else(|| io::Error::other("too few descriptors"));
        let [stdin, stdout, stderr, go, report, order] =
            [next()?, next()?, next()?, next()?, next()?, next()?];
        let group = (grouped == 1).then(&mut next).transpose()?;
        let groups: Vec<OwnedFd> = rest.collect();
        let into = group.as_ref().map(AsFd::as_fd);
        let body = || {
            let Ok((order, blobs)) = read(order) else { return 1 };
            init::live(&Charge {
                order: &order,
                blobs: &blobs,
                filters: &self.filters,
                landlock: self.landlock,
                off: Off::default(),
                groups: groups.iter().map(AsFd::as_fd).collect(),
                is_counted: counted == 1,
                sessions: self.sessions,
                kept: None,
                python: Some(&self.interpreter),
                stdin,
                stdout,
                stderr,
                go,
                report,
            })
        };
        Ok(self.interpreter.around_fork(|| sys::clone_sibling_init(into, control.as_fd(), body))?)
    }
}

/// An order as a file, to be read by the init that it is for.
pub(crate) fn written(order: &Order, blobs: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    frame::write_json(&mut bytes, Kind::Order, order)?;
    for blob in blobs {
        frame::write(&mut bytes, Kind::Blob, blob)?;
    }
    Ok(bytes)
}

fn read(order: OwnedFd) -> anyhow::Result<(Order, Vec<Vec<u8>>)> {
    let mut file = File::from(order);
    let mut next = || frame::read(&mut file);
    let (_, first) = next()?.ok_or_else(|| io::Error::other("an order was expected"))?;
    let (order, mut blobs): (Order, _) = (serde_json::from_slice(&first)?, Vec::new());
    while let Some((_, blob)) = next()? {
        blobs.push(blob);
    }
    Ok((order, blobs))
}

/// The next order; `None` if the helper has ended.
fn receive(control: &UnixStream) -> anyhow::Result<Option<([u8; 2], Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut flags = [0; 2];
    let mut into = [IoSliceMut::new(&mut flags)];
    let received = recvmsg(control, &mut into, &mut message, RecvFlags::CMSG_CLOEXEC)?;
    let rights = message.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights),
        RecvAncillaryMessage::ScmCredentials(_) | _ => None,
    });
    let descriptors = rights.flatten().collect();
    Ok((received.bytes > 0).then_some((flags, descriptors)))
}

//! One helper process, as the server holds it: orders go in, what comes of them comes out.
//! Dropping it ends the helper, and with it whatever runs.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::Path,
    process::Stdio,
};

use bytes::Bytes;
use domain::{ports::Typing, run::Typed};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Interest},
    net::{UnixStream, unix::WriteHalf},
    process::{Child, Command},
    sync::Notify,
    time::{Duration, timeout},
};

use crate::{
    descriptors,
    frame::{self, Ending, HEAD_BYTES, Hello, Kind, Order},
    languages::Interpreter,
    zygote::ARGV,
};

/// How much longer than its wall limit a run may take to be told of, before the helper is taken
/// for broken.
const GRACE: Duration = Duration::from_secs(5);
/// How long a helper may take to find out about its machine.
const HELLO: Duration = Duration::from_secs(20);

/// A helper that waits for orders.
pub(crate) struct Slot {
    control: UnixStream,
    /// Reaped by tokio when it ends, which it does when `control` closes.
    process: Child,
    /// Half a frame was written, so that nothing behind it would be understood.
    is_torn: bool,
    pub(crate) hello: Hello,
}

impl Slot {
    /// Starts the executable `helper`, which must call [`crate::sandbox_main_if_asked`].
    /// Runs see the directory `headers`.
    /// With `python`, this is kept warm.
    pub(crate) async fn start(
        helper: &Path,
        headers: Option<&Path>,
        python: Option<&Interpreter>,
    ) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let [name, question] = ARGV;
        let mut command = std::process::Command::new(helper);
        command.arg0(name).arg(question).arg(headers.unwrap_or(Path::new("")));
        command.args(python.iter().flat_map(|python| [&python.path, &python.version]));
        command.env_clear().current_dir("/");
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        let process = Command::from(command).spawn()?;
        let mut control = UnixStream::from_std(ours)?;
        let hello = timeout(HELLO, read(&mut control)).await??;
        let (Kind::Hello, payload) = hello else {
            return Err(io::Error::other("the helper did not say what it found"));
        };
        let hello = serde_json::from_slice(&payload)?;
        Ok(Self { control, process, is_torn: false, hello })
    }

    /// This slot, if its helper has not ended meanwhile.
    pub(crate) fn if_alive(mut self) -> Option<Self> {
        (!self.is_torn && matches!(self.process.try_wait(), Ok(None))).then_some(self)
    }

    /// Has the helper keep `artefact` as if an order had just made it.
    pub(crate) async fn keep(&mut self, artefact: &[u8]) -> io::Result<()> {
        self.control.write_all(&frame::head(Kind::Artefact, artefact.len())).await?;
        self.control.write_all(artefact).await
    }

    /// Carries out `order`. Its files' bytes and standard input are `blobs`. Fails if the helper
    /// is broken; it must be dropped then.
    pub(crate) async fn run(
        &mut self,
        order: &Order,
        blobs: &[Bytes],
        output: &mut (dyn FnMut(Kind, Bytes) + Send),
    ) -> io::Result<Ending> {
        self.run_with(order, blobs, Company::Nobody, output).await
    }

    /// As [`Self::run`], with somebody at the other end meanwhile.
    pub(crate) async fn run_with(
        &mut self,
        order: &Order,
        blobs: &[Bytes],
        company: Company<'_>,
        output: &mut (dyn FnMut(Kind, Bytes) + Send),
    ) -> io::Result<Ending> {
        let wall = Duration::from_millis(order.walls.wall_ms.into());
        let ran = timeout(wall + GRACE, self.carry_out(order, blobs, company, output)).await;
        match ran {
            Ok(run) => run,
            Err(late) => {
                // Its runs die with it, by the kernel's hand.
                self.process.start_kill()?;
                Err(late.into())
            }
        }
    }

    async fn carry_out(
        &mut self,
        order: &Order,
        blobs: &[Bytes],
        company: Company<'_>,
        output: &mut (dyn FnMut(Kind, Bytes) + Send),
    ) -> io::Result<Ending> {
        assert_eq!(blobs.len(), order.files.len() + 1, "a blob for each file, and standard input");
        let is_program = matches!(company, Company::Program(_));
        assert_eq!(order.talks, is_program, "who talks has somebody to talk to");
        let order = serde_json::to_vec(order)?;
        let mut small = Vec::with_capacity(4096);
        frame::write(&mut small, Kind::Order, &order)?;
        for blob in blobs {
            if blob.len() < 64 * 1024 {
                frame::write(&mut small, Kind::Blob, blob)?;
            } else {
                small.extend(frame::head(Kind::Blob, blob.len()));
                self.control.write_all(&small).await?;
                small.clear();
                self.control.write_all(blob).await?;
            }
        }
        self.control.write_all(&small).await?;
        let talk = match company {
            Company::Nobody => return answers(&mut self.control, output).await,
            Company::Person(typing) => {
                let (mut from, mut to) = self.control.split();
                let is_torn = &mut self.is_torn;
                return tokio::select! {
                    ending = answers(&mut from, output) => ending,
                    failed = pass_on(typing, &mut to, is_torn) => Err(failed),
                };
            }
            Company::Program(talk) => talk,
        };
        let Talk { ends, halt } = talk;
        self.control
            .async_io(Interest::WRITABLE, || descriptors::send(&self.control, &ends))
            .await?;
        // From here on only the program has them, so that its end is seen at the other end.
        drop(ends);
        let (mut from, mut to) = self.control.split();
        let halted = async {
            halt.notified().await;
            to.write_all(&frame::head(Kind::Halt, 0)).await?;
            std::future::pending().await
        };
        tokio::select! {
            ending = answers(&mut from, output) => ending,
            failed = halted => failed,
        }
    }
}

/// What a program that talks is given.
pub(crate) struct Talk<'a> {
    /// Its standard input and output.
    pub(crate) ends: [OwnedFd; 2],
    /// Ends the run early when it is notified.
    pub(crate) halt: &'a Notify,
}

/// Who is at the other end while a program runs.
pub(crate) enum Company<'a> {
    Nobody,
    /// Who types, and may stop it.
    Person(&'a mut dyn Typing),
    /// A judging program.
    Program(Talk<'a>),
}

/// Passes on what a person does, until that fails.
async fn pass_on(typing: &mut dyn Typing, to: &mut WriteHalf<'_>, is_torn: &mut bool) -> io::Error {
    loop {
        let (kind, bytes) = match typing.next().await {
            Typed::Text(bytes) if bytes.is_empty() => continue,
            Typed::Text(bytes) => (Kind::Input, bytes),
            Typed::End => (Kind::Input, Bytes::new()),
            Typed::Stop => (Kind::Halt, Bytes::new()),
        };
        let frame = [&frame::head(kind, bytes.len())[..], &bytes].concat();
        // Should the run end before all of it is written.
        *is_torn = true;
        if let Err(failed) = to.write_all(&frame).await {
            return failed;
        }
        *is_torn = false;
    }
}

async fn answers(
    control: &mut (impl AsyncRead + Unpin),
    output: &mut (dyn FnMut(Kind, Bytes) + Send),
) -> io::Result<Ending> {
    loop {
        let (kind, payload) = read(control).await?;
        match kind {
            Kind::Stdout | Kind::Stderr | Kind::Artefact | Kind::Feedback => output(kind, payload),
            Kind::Ending => return Ok(serde_json::from_slice(&payload)?),
            Kind::Order | Kind::Blob | Kind::Hello | Kind::Input | Kind::Halt => {
                return Err(io::Error::other("the helper said what it does not say here"));
            }
        }
    }
}

async fn read(control: &mut (impl AsyncRead + Unpin)) -> io::Result<(Kind, Bytes)> {
    let mut head = [0; HEAD_BYTES];
    control.read_exact(&mut head).await?;
    let (kind, len) = frame::parse_head(head)?;
    let mut payload = vec![0; len];
    control.read_exact(&mut payload).await?;
    Ok((kind, payload.into()))
}

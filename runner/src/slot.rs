//! One helper process, as the server holds it: orders go in, what comes of them comes out.
//! Dropping it ends the helper, and with it whatever runs.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::Path,
    process::Stdio,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::{Child, Command},
    time::{Duration, timeout},
};

use crate::{
    frame::{self, Ending, HEAD_BYTES, Hello, Kind, Order},
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
    pub(crate) hello: Hello,
}

impl Slot {
    /// Starts the executable `helper`, which must call [`crate::sandbox_main_if_asked`].
    /// Runs see the directory `headers`.
    pub(crate) async fn start(helper: &Path, headers: Option<&Path>) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let [name, question] = ARGV;
        let mut command = std::process::Command::new(helper);
        command.arg0(name).arg(question).args(headers).env_clear().current_dir("/");
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        let process = Command::from(command).spawn()?;
        let mut control = UnixStream::from_std(ours)?;
        let hello = timeout(HELLO, read(&mut control)).await??;
        let (Kind::Hello, payload) = hello else {
            return Err(io::Error::other("the helper did not say what it found"));
        };
        let hello = serde_json::from_slice(&payload)?;
        Ok(Self { control, process, hello })
    }

    /// This slot, if its helper has not ended meanwhile.
    pub(crate) fn if_alive(mut self) -> Option<Self> {
        matches!(self.process.try_wait(), Ok(None)).then_some(self)
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
        let wall = Duration::from_millis(order.walls.wall_ms.into());
        let ran = timeout(wall + GRACE, self.carry_out(order, blobs, output)).await;
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
        output: &mut (dyn FnMut(Kind, Bytes) + Send),
    ) -> io::Result<Ending> {
        assert_eq!(blobs.len(), order.files.len() + 1, "a blob for each file, and standard input");
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
        self.answers(output).await
    }

    async fn answers(
        &mut self,
        output: &mut (dyn FnMut(Kind, Bytes) + Send),
    ) -> io::Result<Ending> {
        loop {
            let (kind, payload) = read(&mut self.control).await?;
            match kind {
                Kind::Stdout | Kind::Stderr | Kind::Artefact => output(kind, payload),
                Kind::Ending => return Ok(serde_json::from_slice(&payload)?),
                Kind::Order | Kind::Blob | Kind::Hello => {
                    return Err(io::Error::other("the helper said what it does not say here"));
                }
            }
        }
    }
}

async fn read(control: &mut UnixStream) -> io::Result<(Kind, Bytes)> {
    let mut head = [0; HEAD_BYTES];
    control.read_exact(&mut head).await?;
    let (kind, len) = frame::parse_head(head)?;
    let mut payload = vec![0; len];
    control.read_exact(&mut payload).await?;
    Ok((kind, payload.into()))
}

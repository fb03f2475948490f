//! Descriptors that go from the server to a helper over their socket, see `SCM_RIGHTS` in unix(7).

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Sends `two` with one byte, which must fit into the socket's buffer.
pub(crate) fn send(socket: impl AsFd, two: &[OwnedFd; 2]) -> io::Result<()> {
    let two = two.each_ref().map(AsFd::as_fd);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    assert!(message.push(SendAncillaryMessage::ScmRights(&two)), "the space is made for two");
    sendmsg(socket, &[IoSlice::new(b"D")], &mut message, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes the two descriptors that come next.
pub(crate) fn receive(socket: &UnixStream) -> io::Result<[OwnedFd; 2]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut into = [IoSliceMut::new(&mut byte)];
    recvmsg(socket, &mut into, &mut message, RecvFlags::CMSG_CLOEXEC)?;
    let descriptors: Vec<OwnedFd> = message
        .drain()
        .filter_map(|message| {
            let RecvAncillaryMessage::ScmRights(rights) = message else { return None };
            Some(rights)
        })
        .flatten()
        .collect();
    let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "two descriptors were expected");
    descriptors.try_into().map_err(wrong)
}

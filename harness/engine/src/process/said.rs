//! What wardens tell the controller: datagrams on a socket. The kernel adds who speaks, as a pid
//! the controller understands whatever namespace the speaker is in. The other way there are no
//! words: when the controller closes its half, all of the node shall die.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, Shutdown, SockFlag, SockType, recvmsg, send,
    setsockopt, shutdown, socketpair, sockopt,
};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Longest message; longer notes are cut.
const MOST: usize = 4 << 10;

/// What a warden, or the process it is about to turn into a node, says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Said {
    /// The speaker is the keeper: the parent of the node's processes.
    Keeper,
    /// The start is being delayed.
    Delayed,
    /// The speaker is about to become the node's main process.
    Main,
    /// The main process runs.
    Started,
    /// Something that is not as it should be, but can be lived with.
    Note(String),
    /// There will be no node.
    Failed(Failure),
    /// The main process ended well and left others running: the node goes on.
    Daemonised,
    /// The node ended; the wait status of its main process.
    Ended(i32),
}

/// What could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    /// What was tried.
    pub(super) step: String,
    /// What the kernel said.
    pub(super) error: String,
    /// Its number for it.
    pub(super) errno: Option<i32>,
}

impl Failure {
    /// Of `step`, for use in `map_err`.
    pub(super) fn of<E: Into<io::Error>>(step: impl Into<String>) -> impl FnOnce(E) -> Failure {
        let step = step.into();
        |error| {
            let error = error.into();
            let errno = error.raw_os_error();
            let words = errno
                .map_or_else(|| error.to_string(), |n| Errno::from_raw(n).desc().to_lowercase());
            // Paths may be longer than a message.
            let short = |text: String| text.chars().take(300).collect();
            Failure { step: short(step), error: short(words), errno }
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> io::Error {
        let kind =
            failure.errno.map_or(io::ErrorKind::Other, |n| io::Error::from_raw_os_error(n).kind());
        io::Error::new(kind, format!("{}: {}", failure.step, failure.error))
    }
}

/// The ends of a new conversation: the controller's and the warden's.
pub(super) fn pair() -> io::Result<(Ear, OwnedFd)> {
    let (ear, mouth) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    setsockopt(&ear, sockopt::PassCred, &true)?;
    Ok((Ear(ear), mouth))
}

/// The controller's end.
#[derive(Debug)]
pub(super) struct Ear(OwnedFd);

impl Ear {
    /// The next words and who spoke them; `None` if there will be no more.
    ///
    /// # Errors
    /// If there are none before `deadline`, or they cannot be understood.
    pub(super) fn hear(&self, deadline: Option<Instant>) -> io::Result<Option<(Said, Pid)>> {
        let mut buffer = [0; MOST];
        let mut space = nix::cmsg_space!(libc::ucred);
        let length;
        let mut speaker = None;
        loop {
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            let patience = match left {
                None => PollTimeout::NONE,
                Some(left) => {
                    // Rounded up, so that the last fraction is no busy loop.
                    let left = left + Duration::from_micros(999);
                    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
                }
            };
            match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], patience) {
                Ok(0) if left.is_some_and(|l| l.is_zero()) => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(errno) => return Err(errno.into()),
            }
            let mut parts = [io::IoSliceMut::new(&mut buffer)];
            let fd = self.0.as_raw_fd();
            match recvmsg::<()>(fd, &mut parts, Some(&mut space), MsgFlags::empty()) {
                Ok(message) => {
                    length = message.bytes;
                    for control in message.cmsgs()? {
                        if let ControlMessageOwned::ScmCredentials(who) = control {
                            speaker = Some(Pid::from_raw(who.pid()));
                        }
                    }
                    break;
                }
                Err(Errno::EINTR) => {}
                // A warden that dies with words of ours unread resets the conversation.
                Err(Errno::ECONNRESET) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
        if length == 0 {
            return Ok(None);
        }
        let said = serde_json::from_slice(&buffer[..length])?;
        let speaker = speaker.ok_or_else(|| io::Error::other("nobody signed"))?;
        Ok(Some((said, speaker)))
    }

    /// Lets all of the node be killed.
    pub(super) fn condemn(&self) {
        // It fails only if the warden is gone already.
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Write);
    }
}

/// The warden's end.
#[derive(Debug)]
pub(super) struct Mouth(OwnedFd);

impl Mouth {
    pub(super) fn new(fd: OwnedFd) -> Mouth {
        Mouth(fd)
    }

    /// Says it. Nobody listening any more is no failure: the controller's end is noticed by
    /// whoever watches this socket.
    pub(super) fn say(&self, said: &Said) {
        let cut;
        let said = match said {
            Said::Note(words) if words.len() > MOST / 8 => {
                cut = Said::Note(words.chars().take(MOST / 8).collect());
                &cut
            }
            said => said,
        };
        let bytes = serde_json::to_vec(said).unwrap_or_default();
        while let Err(Errno::EINTR) = send(self.0.as_raw_fd(), &bytes, MsgFlags::MSG_NOSIGNAL) {}
    }
}

impl AsFd for Mouth {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive_in_order_and_signed_and_the_end_is_heard() {
        let (ear, mouth) = pair().unwrap();
        let mouth = Mouth::new(mouth);
        let soon = Some(Instant::now() + Duration::from_millis(5));
        assert_eq!(ear.hear(soon).unwrap_err().kind(), io::ErrorKind::TimedOut);
        mouth.say(&Said::Keeper);
        mouth.say(&Said::Note("ü".repeat(MOST)));
        assert_eq!(ear.hear(None).unwrap(), Some((Said::Keeper, nix::unistd::getpid())));
        assert!(matches!(ear.hear(None).unwrap(), Some((Said::Note(n), _)) if n.len() >= 512));
        ear.condemn();
        drop(mouth);
        assert_eq!(ear.hear(None).unwrap(), None);
    }
}

use super::*;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use nix::sys::socket::getsockname;

/// A message of any kind, as its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Raw {
    kind: u16,
    bytes: Vec<u8>,
}

impl NetlinkSerializable for Raw {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.bytes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.bytes);
    }
}

impl NetlinkDeserializable for Raw {
    type Error = Infallible;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, Infallible> {
        Ok(Self { kind: header.message_type, bytes: payload.to_vec() })
    }
}

impl From<Raw> for NetlinkPayload<Raw> {
    fn from(raw: Raw) -> Self {
        Self::InnerMessage(raw)
    }
}

/// RTM_GETLINK and RTM_NEWADDR with a body of zeros.
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;

fn request(kind: u16, length: usize) -> Raw {
    Raw { kind, bytes: vec![0; length] }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

#[test]
fn the_kernel_answers_lists_and_questions() {
    let socket = Netlink::open(SockProtocol::NetlinkRoute).unwrap();
    let all = socket.dump(&request(GET_LINK, 16), soon()).unwrap();
    assert!(!all.is_empty());
    // The first interface is the loopback interface, whatever namespace this is.
    let mut one = request(GET_LINK, 16);
    one.bytes[4..8].copy_from_slice(&1_u32.to_ne_bytes());
    let answer = socket.ask(one, soon()).unwrap();
    assert_eq!((answer.kind, &answer.bytes[4..8]), (16, &1_u32.to_ne_bytes()[..]));
    let mut none = request(GET_LINK, 16);
    none.bytes[4..8].copy_from_slice(&0x7fff_ffff_u32.to_ne_bytes());
    assert_eq!(socket.ask(none, soon()).unwrap_err().errno(), Some(nix::Error::ENODEV));
}

#[test]
fn a_refusal_carries_the_words_of_the_kernel() {
    let socket = Netlink::open(SockProtocol::NetlinkRoute).unwrap();
    // Neither a header nor an address: the caller learns what is missing, or that it has no
    // permission.
    let fault = socket.change(request(NEW_ADDRESS, 8), 0, None, soon()).unwrap_err();
    let errno = fault.errno().expect("a refusal");
    assert!(
        matches!(
            errno,
            nix::Error::EPERM | nix::Error::EINVAL | nix::Error::ENODEV | nix::Error::EOPNOTSUPP
        ),
        "{fault}"
    );
    let attributes =
        [&[12, 0, 2, 0, 9, 9, 9, 9, 9, 9, 9, 9][..], &[10, 0, 1, 0], b"No in\0", &[0, 0]].concat();
    assert_eq!(text(&attributes).as_deref(), Some("No in"));
    for length in 0..attributes.len() {
        let _ = text(&attributes[..length]);
    }
    let said = Fault::Refused(nix::Error::EINVAL, Some("IPv6 is disabled on this device.".into()));
    assert_eq!(said.to_string(), "Invalid argument (IPv6 is disabled on this device)");
}

/// An answer that never comes ends the wait at the deadline, whatever is waited for (WT-4).
#[test]
fn wt_4_no_wait_for_an_answer_goes_past_the_deadline() {
    // Another socket that never answers is the other end instead of the kernel.
    let silent = Netlink::open(SockProtocol::NetlinkUserSock).unwrap();
    bind(silent.fd.as_raw_fd(), &NetlinkAddr::new(0, 0)).unwrap();
    let peer = getsockname::<NetlinkAddr>(silent.fd.as_raw_fd()).unwrap().pid();
    let socket = Netlink { peer, ..Netlink::open(SockProtocol::NetlinkUserSock).unwrap() };
    let limit = Duration::from_millis(100);
    let late = |name: &str, wait: &dyn Fn(Deadline) -> Result<(), Fault>| {
        let began = Instant::now();
        assert!(matches!(wait(Deadline::after(limit)), Err(Fault::Late)), "{name}");
        assert!(began.elapsed() >= limit && began.elapsed() < Duration::from_secs(10), "{name}");
    };
    late("list", &|deadline| socket.dump(&request(GET_LINK, 16), deadline).map(drop));
    late("question", &|deadline| socket.ask(request(GET_LINK, 16), deadline).map(drop));
    late("change", &|deadline| {
        socket.change(request(NEW_ADDRESS, 16), 0, None, deadline).map(drop)
    });
    assert!(matches!(socket.events::<Raw>(Deadline::after(limit)), Ok(Events::None)));
}

#[test]
fn fuzz_any_datagram_and_any_acknowledgement_is_read() {
    // An error with the name of the file that the kernel misses, and the end of a list.
    let error: &[u8] = &[
        52, 0, 0, 0, 2, 0, 0, 2, 1, 0, 0, 0, 9, 0, 0, 0, 237, 255, 255, 255, 16, 0, 0, 0, 20, 0, 5,
        0, 1, 0, 0, 0, 9, 0, 0, 0, 12, 0, 1, 0, b'n', b'o', b' ', b'n', b'i', b'c', 0, 0, 4, 0, 9,
        0,
    ];
    let done: &[u8] = &[20, 0, 0, 0, 3, 0, 2, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
    crate::testing::fuzz::survives(&[error, done, &[error, done].concat()], |bytes| {
        let _ = (
            each::<Raw>(bytes, |_, _| Ok(false)),
            text(bytes),
            text(bytes.get(36..).unwrap_or_default()),
        );
    });
}

#[test]
fn nonsense_is_an_error_and_no_panic() {
    for bytes in
        [&[1][..], &[0; 15], &[255; 16], &[17, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]]
    {
        let _ = each::<Raw>(bytes, |_, _| Ok(false));
    }
    assert!(each::<Raw>(&[1], |_, _| Ok(false)).is_err());
}

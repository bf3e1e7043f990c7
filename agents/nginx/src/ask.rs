//! Questions to a running server: does it answer, and is the page as expected?
#![forbid(unsafe_code)]

use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clients::is_on_this_machine;
use ocf::sys::clock::Deadline;
use ocf::sys::endpoint::{Endpoint, answers};
use ocf::sys::http::HttpErrorKind;
use ocf::sys::resolve::resolve;

use crate::config::listen::{Listen, Socket};
use crate::record::Record;

/// A server that takes longer to say anything at all does not work.
const LONGEST: Duration = Duration::from_secs(10);

/// Whether the server reacts. Every place on this machine is tried in turn until one does; no
/// reaction in time is an answer, too. At an address that another node has, that node's server
/// would answer (`ip_nonlocal_bind` lets a server listen there).
///
/// # Errors
/// What the first of them said.
pub fn alive(record: &Record, port: Option<u16>, deadline: Deadline) -> Result<(), Failure> {
    let limit = Deadline::after(LONGEST).min(deadline);
    let mut first = None;
    for listen in preferred(record, port) {
        let endpoints = match endpoints(&listen.socket, limit) {
            Ok(endpoints) => endpoints,
            Err(failure) => {
                first.get_or_insert(failure);
                continue;
            }
        };
        for endpoint in endpoints {
            match answers(&endpoint, limit) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let late = error.kind == HttpErrorKind::Timeout;
                    let failure = first.get_or_insert_with(|| {
                        Failure::generic(format!("nginx runs but does not serve: {error}"))
                    });
                    if late {
                        return Err(failure.clone());
                    }
                }
            }
        }
    }
    // A server of other protocols, or of addresses that are elsewhere, has nothing that we could
    // ask.
    first.map_or(Ok(()), Err)
}

/// The places to ask, the best first.
pub fn preferred(record: &Record, port: Option<u16>) -> Vec<Listen> {
    let Some(port) = port else { return record.listens.clone() };
    let has_port =
        |listen: &&Listen| matches!(listen.socket, Socket::Inet(_, number) if number == port);
    let chosen: Vec<Listen> = record.listens.iter().filter(has_port).cloned().collect();
    if chosen.is_empty() {
        vec![Listen::plain(Socket::Inet("localhost".into(), port))]
    } else {
        chosen
    }
}

/// The first place to ask that is on this machine; `None` where all are elsewhere.
pub fn first(record: &Record, port: Option<u16>, deadline: Deadline) -> Option<Listen> {
    let places = preferred(record, port);
    if places.is_empty() {
        return Some(Listen::usual());
    }
    places.into_iter().find(|listen| is_here(listen, deadline))
}

/// Whether a place is on this machine; one whose name has no address now counts as such.
pub fn is_here(listen: &Listen, deadline: Deadline) -> bool {
    endpoints(&listen.socket, deadline).map_or(true, |endpoints| !endpoints.is_empty())
}

/// Where a socket can be reached on this machine: a name may have several addresses.
fn endpoints(socket: &Socket, limit: Deadline) -> Result<Vec<Endpoint>, Failure> {
    match socket {
        Socket::Inet(host, port) => {
            let addresses = resolve(host, *port, limit).or_fail(format!("listen {socket}"))?;
            let here = addresses.into_iter().filter(|address| is_on_this_machine(*address));
            Ok(here.map(Endpoint::Tcp).collect())
        }
        Socket::Unix(path) => Ok(vec![Endpoint::Unix(path.clone())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_chooses_among_the_places() {
        let listens = ["127.0.0.1:80", "[::1]:81", "unix:/s"]
            .map(|place| Listen::parse(place).unwrap())
            .to_vec();
        let record = Record { listens: listens.clone(), ..Record::default() };
        assert_eq!(preferred(&record, None), listens);
        assert_eq!(preferred(&record, Some(81)), [listens[1].clone()]);
        assert_eq!(preferred(&record, Some(99))[0].socket.to_string(), "localhost:99");
    }

    #[test]
    fn a_place_on_another_machine_is_not_asked() {
        let soon = || Deadline::after(Duration::from_secs(5));
        let places = |places: &[&str]| Record {
            listens: places.iter().map(|place| Listen::parse(place).unwrap()).collect(),
            ..Record::default()
        };
        let elsewhere = places(&["192.0.2.1:80"]);
        assert_eq!(first(&elsewhere, None, soon()), None);
        assert_eq!(alive(&elsewhere, None, soon()), Ok(()));
        let both = places(&["192.0.2.1:80", "127.0.0.1:1"]);
        assert_eq!(first(&both, None, soon()), Some(both.listens[1].clone()));
        assert!(alive(&both, None, soon()).is_err(), "nothing listens there");
        assert_eq!(first(&places(&[]), None, soon()), Some(Listen::usual()));
    }
}

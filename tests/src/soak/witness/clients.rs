//! The clients' requests, in rows of those that ended alike.

use std::time::{Duration, SystemTime};

use crate::soak::history::{Event, Recorder};
use crate::visitor::Visitor;

/// A row is recorded at least so often.
const FLUSH: Duration = Duration::from_secs(10);

/// A row of requests that ended alike.
#[derive(Debug)]
struct Row {
    from: SystemTime,
    until: SystemTime,
    count: usize,
    said: Result<String, String>,
}

/// A client's requests as they are read.
#[derive(Debug)]
pub(super) struct Reader {
    last: SystemTime,
    row: Option<Row>,
}

impl Reader {
    /// Nothing was read yet of what was sent after `from`.
    pub(super) fn from(from: SystemTime) -> Reader {
        Reader { last: from, row: None }
    }

    /// Records what is new; at last, what is under way, too.
    pub(super) fn read(
        &mut self,
        service: &str,
        address: &str,
        visitor: &Visitor,
        recorder: &Recorder,
        at_last: bool,
    ) {
        let fresh = visitor.since(self.last);
        for request in fresh.into_iter().take_while(|it| it.ended.is_some()) {
            self.last = request.sent;
            match &mut self.row {
                Some(row) if row.said == request.said => {
                    row.until = request.sent;
                    row.count += 1;
                }
                _ => {
                    self.flush(service, address, recorder);
                    let (from, until) = (request.sent, request.sent);
                    self.row = Some(Row { from, until, count: 1, said: request.said });
                }
            }
        }
        let long = |row: &Row| row.until.duration_since(row.from).is_ok_and(|it| it > FLUSH);
        if at_last || self.row.as_ref().is_some_and(long) {
            self.flush(service, address, recorder);
        }
    }

    fn flush(&mut self, service: &str, address: &str, recorder: &Recorder) {
        let Some(row) = self.row.take() else { return };
        let event = Event::Requests {
            service: service.to_owned(),
            address: address.to_owned(),
            until: recorder.seconds(row.until),
            count: row.count,
            error: row.said.as_ref().err().cloned().unwrap_or_default(),
            page: row.said.ok(),
        };
        recorder.note_at(recorder.seconds(row.from), event);
    }
}

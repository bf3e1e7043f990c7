//! `show stat`: how frontends, servers and backends are.
//!
//! A table in CSV (RFC 4180), with the names of its columns in a first line that begins with `# `.
//! Each version adds columns; only names are relied on.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name of the proxy.
    pub proxy: String,
    /// `FRONTEND`, `BACKEND`, or the name of a server or listener.
    pub name: String,
    /// `OPEN`, `UP`, `DOWN 1/2`, `no check` and many more.
    pub status: String,
    /// What it is.
    pub kind: Kind,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What clients connect to.
    Frontend,
    /// What requests are spread over.
    Backend,
    /// One of those over which.
    Server,
    /// An address of a frontend.
    Listener,
}

/// How many servers a backend has, and how many of them may be given requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strength {
    /// Those that are up, or not checked.
    pub up: usize,
    /// All, those in maintenance too.
    pub all: usize,
}

/// Reads the table, wherever in a longer text it is, up to an empty line.
pub fn parse(text: &str) -> Option<Vec<Row>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("# pxname,svname,"));
    let header = lines.next()?.trim_start_matches("# ");
    let names: Vec<&str> = header.split(',').collect();
    let column = |name: &str| names.iter().position(|found| *found == name);
    let (proxy, name, status, kind) =
        (column("pxname")?, column("svname")?, column("status")?, column("type")?);
    let last = proxy.max(name).max(status).max(kind);
    let mut rows = Vec::new();
    for line in lines.take_while(|line| !line.trim().is_empty()) {
        let mut fields = fields(line, last + 1);
        let kind = match fields.get(kind)?.as_str() {
            "0" => Kind::Frontend,
            "1" => Kind::Backend,
            "2" => Kind::Server,
            "3" => Kind::Listener,
            _ => return None,
        };
        let mut take = |at: usize| fields.get_mut(at).map(std::mem::take);
        rows.push(Row { proxy: take(proxy)?, name: take(name)?, status: take(status)?, kind });
    }
    Some(rows)
}

/// The first fields of a line. A field in quotes may hold commas, and quotes twice.
fn fields(line: &str, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line;
    while found.len() < count {
        let (field, behind) = match rest.strip_prefix('"') {
            Some(inner) => quoted(inner),
            None => match rest.split_once(',') {
                Some((field, behind)) => (field.to_owned(), Some(behind)),
                None => (rest.to_owned(), None),
            },
        };
        found.push(field);
        match behind {
            Some(behind) => rest = behind,
            None => break,
        }
    }
    found
}

/// A field whose first quote has been read, and what is behind the comma after it.
fn quoted(text: &str) -> (String, Option<&str>) {
    let mut field = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != '"' {
            field.push(letter);
        } else if letters.next_if(|(_, next)| *next == '"').is_some() {
            field.push('"');
        } else {
            return (field, text[at + 1..].split_once(',').map(|(_, behind)| behind));
        }
    }
    (field, None)
}

/// Frontends that take no connections, and those that take no more at the moment.
pub fn closed_and_full(rows: &[Row]) -> (Vec<String>, Vec<String>) {
    let (mut closed, mut full) = (Vec::new(), Vec::new());
    for row in rows.iter().filter(|row| row.kind == Kind::Frontend) {
        match row.status.as_str() {
            "OPEN" | "WAITING" => {}
            "FULL" => full.push(row.proxy.clone()),
            status => closed.push(format!("{} ({status})", row.proxy)),
        }
    }
    (closed, full)
}

/// The backends that have servers, each with its strength.
pub fn backends(rows: &[Row]) -> BTreeMap<&str, Strength> {
    let mut found: BTreeMap<&str, Strength> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind == Kind::Server) {
        let strength = found.entry(&row.proxy).or_default();
        strength.all += 1;
        strength.up += usize::from(is_up(&row.status));
    }
    found
}

/// Whether a server is given requests. `UP 1/3` is on its way down and `DOWN 1/2` on its way up; a
/// server that is not checked is always given some; one in maintenance, or being drained, is given
/// none.
fn is_up(status: &str) -> bool {
    status == "no check" || status.split([' ', '(']).next() == Some("UP")
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Of a real 2.6, shortened at its end.
    pub const V2_6: &str = "\
# \
pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,\
status,weight,act,bck,\
chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,\
rate_max,check_status,\
check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,\n\
web,FRONTEND,,,0,0,100,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,1,0,,,,0,0,0,0,,,,0,0,0,0,0,0,,\n\
app,s1,0,0,0,0,,0,0,0,,0,,0,0,0,0,DOWN,1,1,0,1,1,9,9,,1,2,1,,0,,2,0,,0,L4CON,,0,0,0,0,0,0,0,,\n\
app,s2,0,0,0,0,,0,0,0,,0,,0,0,0,0,UP 1/3,1,1,0,1,1,9,9,,1,2,2,,0,,2,0,,0,L7OK,200,0,0,0,0,0,0,0,,\n\
app,BACKEND,0,0,0,0,10,0,0,0,0,0,,0,0,0,0,UP,1,1,0,,1,9,9,,1,2,0,,0,,1,0,,0,,,,0,0,0,0,0,0,,\n\n";

    /// The columns of 3.x: `sess`-columns have moved behind, `-` is there, and all fields may be
    /// quoted.
    pub const V3_2: &str = "\
# pxname,svname,qcur,status,pid,iid,sid,type,check_desc,-,ssl_sess,h1_open_streams,\n\
\"web\",FRONTEND,,PAUSED,1,1,0,0,,-,0,0,\n\
\"a,\"\"b\",\"s 1\",0,no check,1,2,1,2,\"x, y\",-,0,,\n\
\"a,\"\"b\",s2,0,MAINT (via a/s1),1,2,2,2,,-,0,,\n\
\"a,\"\"b\",BACKEND,0,UP,1,2,0,1,,-,0,,\n";

    #[test]
    fn every_versions_table_is_read_by_the_names_of_its_columns() {
        let rows = parse(V2_6).unwrap();
        assert_eq!(rows.len(), 4);
        assert_eq!(
            (rows[0].proxy.as_str(), rows[0].status.as_str(), rows[0].kind),
            ("web", "OPEN", Kind::Frontend)
        );
        assert_eq!(
            (rows[1].name.as_str(), rows[1].status.as_str(), rows[1].kind),
            ("s1", "DOWN", Kind::Server)
        );
        assert_eq!(
            backends(&rows).into_iter().collect::<Vec<_>>(),
            [("app", Strength { up: 1, all: 2 })]
        );
        let rows = parse(V3_2).unwrap();
        assert_eq!((rows[1].proxy.as_str(), rows[1].name.as_str()), ("a,\"b", "s 1"));
        assert_eq!(
            backends(&rows).into_iter().collect::<Vec<_>>(),
            [("a,\"b", Strength { up: 1, all: 2 })]
        );
        assert_eq!(closed_and_full(&rows), (vec!["web (PAUSED)".to_owned()], vec![]));
        assert_eq!(parse(&format!("Name: HAProxy\nPid: 7\n\n{V2_6}more")), parse(V2_6));
        // A table of nothing, and 2.2, which has fewer columns.
        assert_eq!(parse("# pxname,svname,status,type,\n\n"), Some(vec![]));
        let old = "# pxname,svname,qcur,status,weight,act,bck,pid,type,rate,\n\
                   w,FRONTEND,,FULL,,,,1,0,3,\n";
        assert_eq!(closed_and_full(&parse(old).unwrap()), (vec![], vec!["w".to_owned()]));
    }

    #[test]
    fn only_a_server_that_is_given_requests_counts() {
        for (status, expected) in [
            ("UP", true),
            ("UP 1/3", true),
            ("UP (agent)", true),
            ("no check", true),
            ("DOWN", false),
            ("DOWN 1/2", false),
            ("DOWN (agent)", false),
            ("NOLB", false),
            ("NOLB 1/2", false),
            ("DRAIN", false),
            ("MAINT", false),
            ("MAINT (resolution)", false),
            ("", false),
            ("UPPER", false),
        ] {
            assert_eq!(is_up(status), expected, "{status}");
        }
    }

    #[test]
    fn anything_else_is_no_table() {
        for bad in [
            "",
            "Permission denied\n",
            "# pxname,svname,\n",
            "# pxname,svname,status,type,\nw,FRONTEND\n",
            "# pxname,svname,status,type,\nw,FRONTEND,OPEN,x,\n",
            "# pxname,svname,status,type,\n\"w,FRONTEND,OPEN,0,\n",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}

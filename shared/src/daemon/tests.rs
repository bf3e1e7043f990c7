use super::look::tell_apart;
use super::*;

fn member(pid: i32, session: i32) -> Member {
    Member { process: Process { pid, start_time: 1 }, parent: 1, session, held: false }
}

fn numbers(found: &Found) -> (Option<i32>, Vec<i32>) {
    (
        found.master.map(|master| master.pid),
        found.orphans.iter().map(|process| process.pid).collect(),
    )
}

#[test]
fn the_leader_of_the_session_is_the_master() {
    let all = [member(11, 10), member(10, 10)];
    assert_eq!(numbers(&tell_apart(&all, false)), (Some(10), vec![]));
}

#[test]
fn workers_whose_master_has_died_are_orphans() {
    assert_eq!(
        numbers(&tell_apart(&[member(11, 10), member(12, 10)], false)),
        (None, vec![11, 12])
    );
    assert!(tell_apart(&[], false).is_empty());
}

#[test]
fn the_first_process_of_a_session_is_no_master_where_a_second_fork_follows() {
    assert_eq!(numbers(&tell_apart(&[member(10, 10), member(12, 10)], true)), (None, vec![10, 12]));
}

#[test]
fn what_a_rollback_leaves_is_said_once_for_all_agents() {
    let failure = || Failure::installed("no such module");
    assert_eq!(rolled_back(failure(), Ok(())), failure());
    let both = rolled_back(failure(), Err(Failure::generic("process 12 (nginx) survived SIGKILL")));
    assert_eq!(both.to_string(), "no such module; rollback: process 12 (nginx) survived SIGKILL");
    assert_eq!(both.kind, failure().kind);
}

#[test]
fn a_complaint_is_one_line() {
    assert_eq!(complaint(b"a\nb\n\nc\nd\n", b""), "b / c / d");
    assert_eq!(complaint(b" \n", b"from stdout"), "from stdout");
    assert_eq!(complaint(b"", b""), "it failed without a word");
}

use super::*;

fn candidate(pid: i32, session: i32, claims: Option<bool>) -> Candidate {
    let process = Process { pid, start_time: 1 };
    Candidate { member: Member { process, parent: 1, session, held: false }, claims }
}

fn numbers(found: &Found) -> (Option<i32>, Vec<i32>) {
    (found.master.map(|master| master.pid), found.orphans.iter().map(|process| process.pid).collect())
}

#[test]
fn the_leader_of_the_session_is_the_master() {
    let all = [candidate(11, 10, Some(true)), candidate(10, 10, Some(true)), candidate(20, 20, Some(false))];
    assert_eq!(numbers(&tell_apart(&all, &[], false)), (Some(10), vec![]));
}

#[test]
fn workers_whose_master_has_died_are_orphans() {
    // Of apache, they still have its arguments; of nginx, they have titles.
    let apache = [candidate(11, 10, Some(true)), candidate(12, 10, Some(true))];
    assert_eq!(numbers(&tell_apart(&apache, &[10], false)), (None, vec![11, 12]));
    assert_eq!(numbers(&tell_apart(&apache, &[], false)), (None, vec![11, 12]));
    let nginx = [candidate(11, 10, None), candidate(21, 20, None)];
    assert_eq!(numbers(&tell_apart(&nginx, &[10], false)), (None, vec![11]));
    assert_eq!(numbers(&tell_apart(&nginx, &[], false)), (None, vec![]));
}

#[test]
fn the_first_process_of_a_session_is_no_master_where_a_second_fork_follows() {
    let all = [candidate(10, 10, Some(true)), candidate(12, 10, None)];
    assert_eq!(numbers(&tell_apart(&all, &[10], true)), (None, vec![10, 12]));
}

#[test]
fn another_instance_of_the_same_program_is_left_alone() {
    let all = [candidate(20, 20, Some(false)), candidate(21, 20, None)];
    assert_eq!(numbers(&tell_apart(&all, &[10], false)), (None, vec![]));
    // Also when the number in a stale pid file is its session by now.
    assert_eq!(numbers(&tell_apart(&all[..1], &[20], false)), (None, vec![]));
}

#[test]
fn a_complaint_is_one_line() {
    assert_eq!(complaint(b"a\nb\n\nc\nd\n", b""), "b / c / d");
    assert_eq!(complaint(b" \n", b"from stdout"), "from stdout");
    assert_eq!(complaint(b"", b""), "it failed without a word");
}

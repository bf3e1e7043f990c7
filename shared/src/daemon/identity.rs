//! Whose a process is, decided from what the kernel says about it: ours, not ours, or unknown.
//! Pure.
//!
//! The order of the questions matters. The owner comes first: the arguments of a process are its
//! own word, and are read only when root or this instance stands behind it.
#![forbid(unsafe_code)]

/// Whether a process is of the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is, and may be signalled.
    Ours,
    /// It is not, and is left alone.
    NotOurs,
    /// It may be: what decides cannot be looked at. It is left alone, and nothing else counts as
    /// stopped.
    Unknown(Missing),
}

/// What is missing for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// CAP_SYS_PTRACE, without which root cannot look at the program of another user's process.
    Trace,
    /// A command line that can be read: this one is too long.
    Arguments,
}

/// How something of a process compares with what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The same.
    Same,
    /// Another one.
    Other,
    /// The kernel does not show it to this caller.
    Hidden,
}

/// What the kernel says about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its user.
    pub owner: u32,
    /// Its PID namespace, compared with ours.
    pub numbers: Seen,
    /// Its root directory, compared with ours.
    pub root: Seen,
    /// Its program, by device and inode, compared with the instance's; a removed one by its name.
    pub program: Seen,
    /// Whether the kernel's short name of its program is that of one of the instance's.
    pub is_named: bool,
}

/// What connects a process with the instance, beside what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    None,
    /// The pid file names it, and it began before that file was written.
    PidFile,
    /// Its session has the number that is in the pid file.
    PidFileSession,
    /// It was recorded as the master, or its session was.
    Recorded,
}

/// What the arguments of a process say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// They are this instance's.
    Yes,
    /// They are not.
    No,
    /// They do not say, as of a worker that has changed its title.
    Silent,
    /// They begin like this instance's, and are too long to be read to their end.
    TooLong,
}

/// What the server is allowed to be, and who wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The process to talk to becomes another user, and may change its root directory.
    pub drops_rights: bool,
    /// The caller is root and may act on the answer; another one only reports.
    pub may_act: bool,
}

/// Decides whose a process is. `claim` is called only when its answer can matter.
#[must_use]
pub fn judge(
    facts: &Facts,
    standing: Standing,
    rules: Rules,
    claim: impl FnOnce() -> Claim,
) -> Answer {
    if facts.numbers == Seen::Other || facts.program == Seen::Other {
        return Answer::NotOurs;
    }
    let is_alien = facts.owner != 0 || facts.root == Seen::Other;
    let may_be_alien = match standing {
        Standing::None => false,
        Standing::PidFile => rules.drops_rights,
        // Workers become another user, and haproxy's leave for a directory of their own.
        Standing::PidFileSession | Standing::Recorded => true,
    };
    if is_alien && !may_be_alien {
        return Answer::NotOurs;
    }
    let is_hidden = [facts.numbers, facts.root, facts.program].contains(&Seen::Hidden);
    if is_hidden && !facts.is_named {
        return Answer::NotOurs;
    }
    match claim() {
        Claim::No => Answer::NotOurs,
        Claim::Silent if standing == Standing::None => Answer::NotOurs,
        Claim::TooLong => Answer::Unknown(Missing::Arguments),
        // The session of a recorded master is proof enough. A caller that cannot act may believe
        // the pid file.
        Claim::Yes | Claim::Silent if is_hidden => match standing {
            Standing::Recorded => Answer::Ours,
            Standing::PidFile if !rules.may_act => Answer::Ours,
            _ => Answer::Unknown(Missing::Trace),
        },
        Claim::Yes | Claim::Silent => Answer::Ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOTS: Facts = Facts {
        owner: 0,
        numbers: Seen::Same,
        root: Seen::Same,
        program: Seen::Same,
        is_named: true,
    };
    const NOBODYS: Facts = Facts { owner: 65534, ..ROOTS };
    const HIDDEN: Facts = Facts {
        owner: 33,
        numbers: Seen::Hidden,
        root: Seen::Hidden,
        program: Seen::Hidden,
        is_named: true,
    };
    const ALL: [Standing; 4] =
        [Standing::None, Standing::PidFile, Standing::PidFileSession, Standing::Recorded];
    const TRACE: Answer = Answer::Unknown(Missing::Trace);

    fn answer(facts: Facts, standing: Standing, claim: Claim) -> Answer {
        judge(&facts, standing, Rules { drops_rights: false, may_act: true }, || claim)
    }

    #[test]
    fn id_1_arguments_of_others_are_not_even_read() {
        for facts in [NOBODYS, Facts { root: Seen::Other, ..ROOTS }] {
            for standing in [Standing::None, Standing::PidFile] {
                let rules = Rules { drops_rights: false, may_act: true };
                assert_eq!(
                    judge(&facts, standing, rules, || unreachable!()),
                    Answer::NotOurs,
                    "{facts:?}"
                );
            }
        }
        assert_eq!(answer(ROOTS, Standing::None, Claim::Yes), Answer::Ours);
    }

    #[test]
    fn id_4_another_namespace_or_program_is_never_ours() {
        for facts in
            [Facts { numbers: Seen::Other, ..ROOTS }, Facts { program: Seen::Other, ..ROOTS }]
        {
            for standing in ALL {
                assert_eq!(
                    answer(facts, standing, Claim::Yes),
                    Answer::NotOurs,
                    "{facts:?} {standing:?}"
                );
            }
        }
    }

    #[test]
    fn id_7_workers_are_known_by_their_session() {
        for facts in [ROOTS, NOBODYS, Facts { root: Seen::Other, ..NOBODYS }] {
            for standing in [Standing::PidFileSession, Standing::Recorded] {
                assert_eq!(answer(facts, standing, Claim::Silent), Answer::Ours, "{facts:?}");
                assert_eq!(
                    answer(facts, standing, Claim::No),
                    Answer::NotOurs,
                    "another instance's: {facts:?}"
                );
            }
        }
        assert_eq!(answer(ROOTS, Standing::None, Claim::Silent), Answer::NotOurs);
        assert_eq!(answer(ROOTS, Standing::PidFile, Claim::Silent), Answer::Ours);
    }

    #[test]
    fn id_5_what_cannot_be_looked_at_is_unknown_unless_it_was_recorded() {
        assert_eq!(answer(HIDDEN, Standing::Recorded, Claim::Silent), Answer::Ours);
        assert_eq!(answer(HIDDEN, Standing::PidFileSession, Claim::Silent), TRACE);
        assert_eq!(answer(HIDDEN, Standing::None, Claim::Yes), Answer::NotOurs, "not root's");
        let roots = Facts { owner: 0, ..HIDDEN };
        assert_eq!(answer(roots, Standing::None, Claim::Yes), TRACE);
        assert_eq!(answer(roots, Standing::PidFile, Claim::Silent), TRACE);
        assert_eq!(answer(roots, Standing::None, Claim::No), Answer::NotOurs);
        assert_eq!(
            answer(Facts { is_named: false, ..roots }, Standing::Recorded, Claim::Yes),
            Answer::NotOurs
        );
        let reports = Rules { drops_rights: false, may_act: false };
        assert_eq!(judge(&roots, Standing::PidFile, reports, || Claim::Yes), Answer::Ours);
        assert_eq!(judge(&roots, Standing::None, reports, || Claim::Yes), TRACE);
    }

    #[test]
    fn a_server_that_drops_its_rights_is_known_by_its_pid_file() {
        let rules = Rules { drops_rights: true, may_act: true };
        let facts = Facts { root: Seen::Other, ..NOBODYS };
        assert_eq!(judge(&facts, Standing::PidFile, rules, || Claim::Yes), Answer::Ours);
        assert_eq!(judge(&facts, Standing::None, rules, || Claim::Yes), Answer::NotOurs);
    }

    #[test]
    fn id_6_a_command_line_that_is_too_long_is_unknown() {
        assert_eq!(
            answer(ROOTS, Standing::None, Claim::TooLong),
            Answer::Unknown(Missing::Arguments)
        );
        assert_eq!(answer(NOBODYS, Standing::None, Claim::TooLong), Answer::NotOurs);
    }
}

//! The action `meta-data`, called in every way in which a cluster and its tools call it.
#![forbid(unsafe_code)]

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::ask::META_DATA;
use crate::check::{Check, OK, Proof, Weight};
use crate::metadata::parse;
use crate::place::Plan;
use crate::stand::{Stand, known};
use crate::surroundings::{WRITABLE, existing, kept, nobody, reachable, root, view};
use crate::verdict::{Finding, Judged};

/// What a tool may wait for a description: far more than any agent needs, far less than a person
/// notices.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "meta-data",
        says: "meta-data succeeds and prints a description",
        clause: "OCF 1.1, Mandatory Actions, meta-data: must display it via standard output",
        fix: "answer meta-data before anything else, with code 0",
        costs: "no tool can configure the agent, and Pacemaker does not know what it can reload",
        weight: Weight::Must,
        proof: Proof::Aside(meta_data),
    },
    Check {
        id: "well-formed",
        says: "the description is well-formed XML with the root resource-agent",
        clause: "OCF 1.1, Meta-Data Format: meta-data are described using XML",
        fix: "close every element; write &amp; &lt; &quot; in texts",
        costs: "no tool can configure the agent, and Pacemaker does not know what it can reload",
        weight: Weight::Must,
        proof: Proof::Aside(well_formed),
    },
    Check {
        id: "quiet-meta-data",
        says: "meta-data prints nothing on stderr",
        clause: "Pacemaker's controller asks for it whenever it needs it, and logs what comes on \
            stderr",
        fix: "answer meta-data before anything that has something to say",
        costs: "the log of every node gets the same lines again and again",
        weight: Weight::Should,
        proof: Proof::Aside(quiet),
    },
    Check {
        id: "name",
        says: "the description has the name of the agent's file",
        clause: "OCF 1.1, The Resource Agent Directory Tree: the file is named according to the \
            resource type",
        fix: "write the file's name as the attribute name of the root",
        costs: "users read one name and have to configure another",
        weight: Weight::Should,
        proof: Proof::Aside(name),
    },
    Check {
        id: "file-mode",
        says: "everybody may read and run the agent's file, and only its owner may change it",
        clause: "the cluster and its tools run agents as other users (for meta-data, \
            validate-all); what others may write runs as root",
        fix: "chmod 755",
        costs: "who may write the file is root on every node; who may not read it cannot \
            configure a resource",
        weight: Weight::Must,
        proof: Proof::Aside(file_mode),
    },
    Check {
        id: "meta-data-as-nobody",
        says: "an ordinary user gets the same description",
        clause: "Pacemaker Administration, Resource Agents: meta-data are read by tools that are \
            not root",
        fix: "answer meta-data before checking rights, writing files or reading what root alone \
            may read",
        costs: "Pacemaker's controller asks as the user hacluster: without an answer every change \
            is a restart",
        weight: Weight::Must,
        proof: Proof::Aside(as_nobody),
    },
    Check {
        id: "meta-data-bare",
        says: "the same description comes with no environment at all",
        clause: "Pacemaker Administration, Resource Agents: meta-data are read without parameters",
        fix: "set a PATH, and use no OCF variable, before meta-data is answered",
        costs: "a cluster sets the variables; only people who call the agent by hand see it",
        weight: Weight::May,
        proof: Proof::Aside(bare),
    },
    Check {
        id: "meta-data-fast",
        says: "the description comes within two seconds",
        clause: "Pacemaker's controller may wait for it, for each agent (controld_metadata.c)",
        fix: "answer meta-data before anything is looked up",
        costs: "tools that list agents are slow; the controller may wait with a decision",
        weight: Weight::Should,
        proof: Proof::Aside(fast),
    },
    Check {
        id: "meta-data-pure",
        says: "meta-data changes no file, needs no network and says the same each time",
        clause: "Pacemaker Administration, Resource Agents: meta-data must have no side effects",
        fix: "answer meta-data before anything is prepared, from a constant text",
        costs: "tools ask at any time on any node: what it changes, changes under a running \
            service",
        weight: Weight::Must,
        proof: Proof::Aside(pure),
    },
    Check {
        id: "output-format",
        says: "meta-data gives XML whatever OCF_OUTPUT_FORMAT Pacemaker's tools export",
        clause: "OCF 1.1, Global OCF Attributes: meta-data must support, and default to, XML \
            output",
        fix: "treat an unknown format like none",
        costs: "crm_resource and pcs get a description that they cannot read",
        weight: Weight::Must,
        proof: Proof::Aside(output_format),
    },
];

fn meta_data(stand: &Stand<'_>) -> Judged {
    let done = known(stand.described.as_ref().clone())?;
    if !done.is(OK) {
        return Err(Finding::broken(done.summary()));
    }
    if done.ended.stdout.is_empty() {
        return Err(Finding::broken("nothing came on stdout"));
    }
    Ok(())
}

fn quiet(stand: &Stand<'_>) -> Judged {
    match stand.described.stderr().lines().next() {
        Some(line) if stand.described.is(OK) => Err(Finding::broken(format!("on stderr: {line}"))),
        _ => Ok(()),
    }
}

fn well_formed(stand: &Stand<'_>) -> Judged {
    if stand.described.ended.stdout.is_empty() {
        return Err(Finding::unknown("there is no description"));
    }
    let text = std::str::from_utf8(&stand.described.ended.stdout)
        .map_err(|error| Finding::broken(format!("not UTF-8: {error}")))?;
    parse(text).map(drop).map_err(Finding::broken)
}

fn name(stand: &Stand<'_>) -> Judged {
    let (file, said) =
        (stand.setup.resource.kind.to_string_lossy(), stand.metadata.name.as_deref());
    match said {
        None => Err(Finding::unknown("the description has no name")),
        Some(name) if name == file => Ok(()),
        Some(name) => {
            Err(Finding::broken(format!("the file is {file}, the description says {name}")))
        }
    }
}

fn file_mode(stand: &Stand<'_>) -> Judged {
    let mode = std::fs::metadata(&stand.setup.agent)?.permissions().mode() & 0o7777;
    let wrong = [
        (mode & 0o055 != 0o055, "others may not read and run it"),
        (mode & 0o022 != 0, "others may write it"),
    ];
    match wrong.into_iter().find(|(wrong, _)| *wrong) {
        Some((_, what)) => Err(Finding::broken(format!("its mode is {mode:o}: {what}"))),
        None => Ok(()),
    }
}

/// What was described before; unknown when there was nothing.
fn first<'a>(stand: &'a Stand<'_>) -> Result<&'a [u8], Finding> {
    let text = stand.described.ended.stdout.as_slice();
    if text.is_empty() {
        Err(Finding::unknown("there is no description to compare with"))
    } else {
        Ok(text)
    }
}

/// A description that must be the one of before.
pub(super) fn same(stand: &Stand<'_>, call: crate::stand::Call<'_>) -> Judged {
    let expected = first(stand)?;
    let done = call.expect(OK)?;
    if done.ended.stdout != expected {
        if stand.ask(META_DATA)?.ended.stdout != expected {
            return Err(Finding::unknown(
                "the description differs from time to time (see the check meta-data-pure)",
            ));
        }
        return Err(Finding::broken(format!(
            "{} ({}) says something else than before",
            done.what, done.how
        )));
    }
    Ok(())
}

fn as_nobody(stand: &Stand<'_>) -> Judged {
    let mode = std::fs::metadata(&stand.setup.agent)?.permissions().mode();
    if mode & 0o005 != 0o005 {
        return Err(Finding::unknown(
            "the mode of the file does not let them (see the check file-mode)",
        ));
    }
    reachable(&stand.setup.agent)?;
    let user = nobody()?;
    same(stand, stand.call(META_DATA).how("as nobody").place(|place| place.user = Some(user)))
}

fn bare(stand: &Stand<'_>) -> Judged {
    same(stand, stand.call(META_DATA).how("with no environment").bare())
}

fn fast(stand: &Stand<'_>) -> Judged {
    let took = stand.described.ended.elapsed;
    if took > PATIENCE {
        // A busy machine is no fault of the agent.
        let again = known(stand.ask(META_DATA)?)?.ended.elapsed;
        if again > PATIENCE {
            return Err(Finding::broken(format!(
                "it took {:.1} s, and {:.1} s again",
                took.as_secs_f32(),
                again.as_secs_f32()
            )));
        }
    }
    Ok(())
}

fn pure(stand: &Stand<'_>) -> Judged {
    let expected = first(stand)?;
    for _ in 0..2 {
        if known(stand.ask(META_DATA)?)?.ended.stdout != expected {
            return Err(Finding::broken("it says something else each time"));
        }
    }
    root()?;
    let (overlaid, since) = (existing(WRITABLE), Some(stand.since()));
    let view = view(Plan { overlaid, kept: kept(stand), offline: true, since, ..Plan::default() })?;
    same(
        stand,
        stand.call(META_DATA).how("with no network").place(|place| place.view = Some(view.clone())),
    )?;
    match view.written()?.first() {
        Some(path) => Err(Finding::broken(format!("it writes {}", path.display()))),
        None => Ok(()),
    }
}

fn output_format(stand: &Stand<'_>) -> Judged {
    if stand.metadata.text.is_empty() {
        return Err(Finding::unknown("the description cannot be read (see the check well-formed)"));
    }
    for format in ["xml", "text", "nonsense"] {
        let call = stand
            .call(META_DATA)
            .how(format!("OCF_OUTPUT_FORMAT={format}"))
            .env("OCF_OUTPUT_FORMAT", format);
        let done = call.expect(OK)?;
        // Another format may give another text, if the agent has one: but XML must be XML.
        if format != "text" {
            parse(&done.stdout())
                .map_err(|error| Finding::broken(format!("OCF_OUTPUT_FORMAT={format}: {error}")))?;
        }
    }
    Ok(())
}

//! What the cluster says about itself: the XML of `crm_mon`, read.

use std::fmt;
use std::time::Duration;

use roxmltree::{Document, Node};

/// One resource (of a clone: one instance) as Pacemaker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name; a clone's instances share it.
    pub id: String,
    /// Such as `ocf:native:IPaddr2`.
    pub agent: String,
    /// Such as `Started`, `Stopped`, `Starting`.
    pub role: String,
    /// Pacemaker thinks that its last operation failed.
    pub failed: bool,
    /// Pacemaker can do nothing more for it.
    pub blocked: bool,
    /// The nodes that have it.
    pub nodes: Vec<String>,
}

impl Resource {
    /// Started, on exactly one node, and nothing is wrong with it.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.role == "Started" && self.nodes.len() == 1 && !self.failed && !self.blocked
    }
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// It is there and has joined.
    pub online: bool,
}

/// A failed operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Such as `VIP_start_0`.
    pub operation: String,
    /// Where.
    pub node: String,
    /// Exit code.
    pub code: i32,
    /// The reason that the agent gave, as Pacemaker kept it.
    pub reason: String,
    /// Whether the agent answered at all. Pacemaker's word for that is `complete`, from 3.0 on
    /// `Done`; others are such as `Timed Out` and `Error`.
    pub answered: bool,
}

/// An operation as the cluster's history keeps it: the last one of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The resource; a clone's instance has its number.
    pub resource: String,
    /// Where.
    pub node: String,
    /// Such as `start`, `monitor`.
    pub task: String,
    /// Exit code.
    pub code: i32,
    /// The executor's number of the call: later calls have higher ones.
    pub call: i64,
    /// How long the agent took; of a recurring monitor, when its result last changed.
    pub took: Duration,
}

/// The cluster at one moment.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Who decides, if anybody.
    pub dc: Option<String>,
    /// Whether it may decide.
    pub quorum: bool,
    /// All members.
    pub members: Vec<Member>,
    /// All resources, those in groups and clones too.
    pub resources: Vec<Resource>,
    /// What failed and was not cleaned up.
    pub failures: Vec<Failure>,
    /// The last operations.
    pub history: Vec<Operation>,
    /// All of it, for people.
    pub raw: String,
}

impl Status {
    /// Reads what `crm_mon --output-as=xml` printed.
    pub fn parse(xml: &str) -> Result<Status, roxmltree::Error> {
        let document = Document::parse(xml)?;
        let of =
            |name: &'static str| document.descendants().filter(move |node| node.has_tag_name(name));
        let dc = of("current_dc").find(|node| is_true(*node, "present"));
        Ok(Status {
            quorum: dc.is_some_and(|node| is_true(node, "with_quorum")),
            dc: dc.map(|node| word(node, "name")),
            members: of("node").filter(|node| node.has_attribute("online")).map(member).collect(),
            resources: of("resource")
                .filter(|node| node.has_attribute("role"))
                .map(resource)
                .collect(),
            failures: of("failure").map(failure).collect(),
            history: of("operation_history").map(operation).collect(),
            raw: xml.to_owned(),
        })
    }

    /// The resource of this name; panics unless there is exactly one.
    #[must_use]
    pub fn resource(&self, id: &str) -> &Resource {
        let mut found = self.resources.iter().filter(|resource| resource.id == id);
        let (first, second) = (found.next(), found.next());
        match (first, second) {
            (Some(first), None) => first,
            _ => panic!("one resource {id} is expected: {self}"),
        }
    }

    /// Whether all the resources of these names are well.
    #[must_use]
    pub fn are_well(&self, ids: &[&str]) -> bool {
        ids.iter().all(|id| {
            self.resources.iter().any(|resource| resource.id == *id && resource.is_well())
        })
    }

    /// A line about who is there and where the resources are.
    #[must_use]
    pub fn brief(&self) -> String {
        let word = |member: &Member| {
            format!("{} {}", member.name, if member.online { "online" } else { "OFFLINE" })
        };
        let members: Vec<String> = self.members.iter().map(word).collect();
        let place = |it: &Resource| format!("{} {} {}", it.id, it.role, it.nodes.join(" "));
        let resources: Vec<String> = self.resources.iter().map(place).collect();
        format!("{}; {}", members.join(", "), resources.join(", "))
    }

    /// How many members are online.
    #[must_use]
    pub fn online(&self) -> usize {
        self.members.iter().filter(|member| member.online).count()
    }

    /// The last operation of a kind on a resource; panics when there was none.
    #[must_use]
    pub fn last(&self, resource: &str, task: &str) -> &Operation {
        let found =
            self.history.iter().filter(|done| done.resource == resource && done.task == task);
        found
            .max_by_key(|done| done.call)
            .unwrap_or_else(|| panic!("no {task} of {resource}: {self}"))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "DC {:?}, quorum {}, members {:?}", self.dc, self.quorum, self.members)?;
        self.resources.iter().try_for_each(|resource| writeln!(out, "  {resource:?}"))?;
        self.failures.iter().try_for_each(|failure| writeln!(out, "  {failure:?}"))?;
        self.history.iter().try_for_each(|done| writeln!(out, "  {done:?}"))
    }
}

fn word(node: Node<'_, '_>, name: &str) -> String {
    node.attribute(name).unwrap_or_default().to_owned()
}

fn number<T: std::str::FromStr + Default>(node: Node<'_, '_>, name: &str) -> T {
    node.attribute(name).and_then(|value| value.parse().ok()).unwrap_or_default()
}

fn is_true(node: Node<'_, '_>, name: &str) -> bool {
    node.attribute(name) == Some("true")
}

/// The attribute of the nearest element around it that has this name.
fn around(node: Node<'_, '_>, tag: &str, name: &str) -> String {
    node.ancestors()
        .find(|node| node.has_tag_name(tag))
        .map(|node| word(node, name))
        .unwrap_or_default()
}

fn member(node: Node<'_, '_>) -> Member {
    Member {
        name: word(node, "name"),
        online: is_true(node, "online") && !is_true(node, "pending"),
    }
}

fn resource(node: Node<'_, '_>) -> Resource {
    Resource {
        id: word(node, "id"),
        agent: word(node, "resource_agent"),
        role: word(node, "role"),
        failed: is_true(node, "failed"),
        blocked: is_true(node, "blocked"),
        nodes: node
            .children()
            .filter(|child| child.has_tag_name("node"))
            .map(|child| word(child, "name"))
            .collect(),
    }
}

fn failure(node: Node<'_, '_>) -> Failure {
    Failure {
        operation: word(node, "op_key"),
        node: word(node, "node"),
        code: number(node, "exitcode"),
        // Pacemaker 2.1 escapes it twice.
        reason: word(node, "exitreason").replace("&quot;", "\""),
        answered: ["complete", "Done"].contains(&word(node, "status").as_str()),
    }
}

fn operation(node: Node<'_, '_>) -> Operation {
    Operation {
        resource: around(node, "resource_history", "id"),
        node: around(node, "node", "name"),
        task: word(node, "task"),
        code: number(node, "rc"),
        call: number(node, "call"),
        took: Duration::from_millis(
            word(node, "exec-time").trim_end_matches("ms").parse().unwrap_or_default(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_start_is_read() {
        let status = Status::parse(
            r#"<pacemaker-result><summary>
            <current_dc present="true" with_quorum="true" name="node1"/></summary>
            <nodes><node name="node1" online="true" pending="false"/>
            <node name="node2" online="false" pending="false"/></nodes>
            <resources><group id="G">
              <resource id="VIP" resource_agent="ocf:native:IPaddr2" role="Stopped" blocked="false"
              failed="true"/></group>
              <resource id="D" resource_agent="ocf:native:Dummy" role="Started" blocked="false"
              failed="false"><node name="node1" id="1"/></resource></resources>
            <node_history><node name="node1"><resource_history id="VIP">
              <operation_history call="6" task="start" rc="6" exec-time="17ms"/>
            </resource_history></node></node_history>
            <failures><failure op_key="VIP_start_0" node="node1" exitcode="6"
              exitreason="ip is bad" status="complete"/>
            </failures></pacemaker-result>"#,
        )
        .unwrap();
        assert_eq!(
            (status.dc.as_deref(), status.quorum, status.online()),
            (Some("node1"), true, 1)
        );
        assert!(!status.are_well(&["VIP"]) && status.are_well(&["D"]));
        assert_eq!(status.resource("D").nodes, ["node1"]);
        assert_eq!((status.failures[0].code, status.failures[0].reason.as_str()), (6, "ip is bad"));
        assert_eq!(status.last("VIP", "start").took, Duration::from_millis(17));
        assert_eq!(
            (status.last("VIP", "start").code, status.last("VIP", "start").node.as_str()),
            (6, "node1")
        );
    }
}

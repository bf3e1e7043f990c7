//! The schedule of a run, made of its seed.

use serde::{Deserialize, Serialize};

use super::deed::{Deed, Scope};
use super::dice::Dice;
use super::{NODES, SERVICES, UNIT, address_of, node_name, resources};

/// One deed of an episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it begins, in milliseconds from the beginning of its episode.
    pub at: u64,
    /// How long it lasts, where it has an end.
    pub hold: u64,
    /// What is done.
    pub deed: Deed,
    /// The service, resource or node; empty for the whole cluster.
    pub target: String,
    /// A number that the deed may need, such as after how many milliseconds an agent is killed.
    pub number: u64,
}

/// Deeds that overlap. All is mended after it, and it must be well again before the next one
/// begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// The deeds, in order.
    pub steps: Vec<Step>,
}

/// What a run does, and on which cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What it was made of.
    pub seed: u64,
    /// As long as episodes begin, in seconds.
    pub seconds: u64,
    /// The provider of the agents: `native` or `heartbeat`.
    pub provider: String,
    /// Monitors wait for events.
    pub watch: bool,
    /// Nodes are fenced.
    pub fencing: bool,
    /// The nodes have a real systemd, and a resource is one of its units.
    #[serde(default)]
    pub systemd: bool,
    /// The episodes, more than there is time for.
    pub episodes: Vec<Episode>,
}

/// No episode with its rest is shorter, in seconds.
const SHORTEST: u64 = 8;

/// One in so many steps is about systemd, where there is one.
const UNIT_STEP: u64 = 8;

/// One in so many episodes is the loss of two nodes at once.
const TWO_LOST: u64 = 16;

impl Plan {
    /// The plan of a seed. Its three lowest bits choose `watch`, fencing, and nodes with systemd.
    #[must_use]
    pub fn of(seed: u64, seconds: u64, provider: &str) -> Plan {
        let mut dice = Dice::new(seed);
        let count = seconds / SHORTEST + 1;
        // The shell agents have none for a unit.
        let systemd = seed & 4 == 4 && provider == "native";
        let episodes = (0..count).map(|_| episode(&mut dice, systemd)).collect();
        Plan {
            seed,
            seconds,
            provider: provider.to_owned(),
            // The shell agents know no such parameter.
            watch: seed & 1 == 1 && provider == "native",
            fencing: seed & 2 == 2,
            systemd,
            episodes,
        }
    }

    /// Whether an address is a clone: the shell agents take that for a cluster IP, and want
    /// modprobe.
    #[must_use]
    pub fn has_clone(&self) -> bool {
        self.provider == "native"
    }

    /// How many steps it has.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.episodes.iter().map(|it| it.steps.len()).sum()
    }
}

/// Two nodes are lost, one while the other is: no quorum is left, and nothing may run.
fn two_lost(dice: &mut Dice) -> Episode {
    let deed = *dice.pick(&[Deed::Power, Deed::Cable, Deed::LinkDown]);
    let spared = dice.between(1, NODES as u64) as usize;
    let at = dice.between(0, 4000);
    let lost = (1..=NODES).filter(|number| *number != spared);
    let steps = lost.enumerate().map(|(order, number)| Step {
        at: at + order as u64 * 500,
        hold: dice.between(4000, 9000),
        deed,
        target: node_name(number),
        number: 0,
    });
    Episode { steps: steps.collect() }
}

fn episode(dice: &mut Dice, systemd: bool) -> Episode {
    if dice.one_in(TWO_LOST) {
        return two_lost(dice);
    }
    let count = dice.weighted(&[(1, 3), (2, 5), (3, 3)]);
    let mut steps: Vec<Step> = Vec::new();
    while steps.len() < count {
        let step = step(dice, systemd);
        let has = |is: fn(Deed) -> bool| steps.iter().any(|it| is(it.deed)) && is(step.deed);
        let twice = steps.iter().any(|it| it.deed == step.deed && it.target == step.target);
        // Where the cluster may do nothing, nothing else is done: what is broken stays so.
        let rest = !steps.is_empty() && step.deed.rests() || steps.iter().any(|it| it.deed.rests());
        if has(Deed::parts) || twice || rest {
            continue;
        }
        let alone = step.deed.rests();
        steps.push(step);
        if alone {
            break;
        }
    }
    steps.sort_by_key(|step| step.at);
    Episode { steps }
}

fn step(dice: &mut Dice, systemd: bool) -> Step {
    let deed = if systemd && dice.one_in(UNIT_STEP) {
        *dice.pick(&Deed::OF_SYSTEMD)
    } else {
        dice.weighted(&Deed::PLANNED)
    };
    let all: Vec<&str> = resources().filter(|id| systemd || *id != UNIT.0).collect();
    let target = match deed.scope() {
        Scope::Service => dice.pick(&SERVICES).name.to_owned(),
        Scope::Node => node_name(dice.between(1, NODES as u64) as usize),
        Scope::Everything => String::new(),
        Scope::Resource => {
            let fits = |id: &&&str| match deed {
                Deed::DeleteAddress => address_of(id).is_some(),
                Deed::KillUnit => **id == UNIT.0,
                Deed::Reloadable => ![UNIT.0, super::CLONED.0].contains(id),
                // A label is for IPv4 alone.
                Deed::Restarting => {
                    **id != super::CLONED.0 && address_of(id).is_some_and(|it| !it.contains(':'))
                }
                _ => **id != super::CLONED.0,
            };
            let fitting: Vec<&&str> = all.iter().filter(fits).collect();
            (**dice.pick(&fitting)).to_owned()
        }
    };
    Step {
        at: dice.between(0, 4000),
        hold: dice.between(2000, 9000),
        deed,
        target,
        number: dice.between(0, 40),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_again_and_another_seed_another() {
        assert_eq!(Plan::of(3, 600, "native"), Plan::of(3, 600, "native"));
        assert_ne!(Plan::of(3, 600, "native").episodes, Plan::of(4, 600, "native").episodes);
        let settings: Vec<_> = (0..4)
            .map(|seed| Plan::of(seed, 60, "native"))
            .map(|it| (it.watch, it.fencing))
            .collect();
        assert_eq!(settings, [(false, false), (true, false), (false, true), (true, true)]);
    }

    #[test]
    fn every_deed_comes_and_at_most_two_nodes_are_lost_at_once() {
        let plan = Plan::of(1, 36_000, "native");
        for (deed, _) in Deed::PLANNED {
            assert!(plan.episodes.iter().any(|it| it.steps.iter().any(|it| it.deed == deed)));
        }
        let mut two = 0;
        for episode in &plan.episodes {
            let parted: Vec<&str> = episode
                .steps
                .iter()
                .filter(|it| it.deed.parts())
                .map(|it| it.target.as_str())
                .collect();
            two += usize::from(parted.len() == 2 && parted[0] != parted[1]);
            assert!(parted.len() <= 1 || episode.steps.len() == 2, "{episode:?}");
            assert!((1..=3).contains(&episode.steps.len()), "{episode:?}");
            let rests = episode.steps.iter().any(|it| it.deed.rests());
            assert!(!rests || episode.steps.len() == 1, "{episode:?}");
        }
        assert!(two * 8 > plan.episodes.len() / 4 && two * 8 < plan.episodes.len(), "{two}");
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let plan = Plan::of(9, 60, "heartbeat");
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        assert!(!plan.watch, "the shell agents have no such parameter");
    }
}

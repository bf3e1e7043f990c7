//! The few steps of a failing schedule that matter.

use super::plan::{Episode, Plan};

/// Leaves out of a plan what it fails without: first all other episodes, then halves of what is
/// left, then single steps. `fails` runs a plan; it is called at most `tries` times.
pub fn shrink(
    plan: &Plan,
    suspects: &[usize],
    tries: usize,
    mut fails: impl FnMut(&Plan) -> bool,
) -> Plan {
    let mut left = tries;
    let mut try_it = |episodes: Vec<Episode>| -> Option<Plan> {
        let smaller = Plan { episodes, ..plan.clone() };
        if left == 0 || smaller.steps() == 0 {
            return None;
        }
        left -= 1;
        fails(&smaller).then_some(smaller)
    };
    let mut best = plan.clone();
    // An episode begins when all is well again: most often it fails alone.
    let alone = suspects.iter().filter_map(|number| plan.episodes.get(*number));
    for episode in alone {
        if let Some(smaller) = try_it(vec![episode.clone()]) {
            best = smaller;
            break;
        }
    }
    // Halves, quarters and so on of the episodes.
    let mut size = best.episodes.len() / 2;
    while size > 0 && best.episodes.len() > 1 {
        let mut at = 0;
        while at < best.episodes.len() && best.episodes.len() > 1 {
            let mut episodes = best.episodes.clone();
            episodes.drain(at..(at + size).min(episodes.len()));
            match try_it(episodes) {
                Some(smaller) => best = smaller,
                None => at += size,
            }
        }
        size /= 2;
    }
    // Single steps.
    for episode in 0..best.episodes.len() {
        let mut step = 0;
        while step < best.episodes[episode].steps.len() {
            let mut episodes = best.episodes.clone();
            episodes[episode].steps.remove(step);
            match try_it(episodes) {
                Some(smaller) => best = smaller,
                None => step += 1,
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::deed::Deed;

    fn has(plan: &Plan, deed: Deed) -> bool {
        plan.episodes.iter().any(|it| it.steps.iter().any(|it| it.deed == deed))
    }

    #[test]
    fn what_does_not_matter_is_left_out() {
        let plan = Plan::of(11, 1200, "native");
        let (first, second) = {
            let pair = plan.episodes.iter().find(|it| it.steps.len() == 3).expect("three steps");
            (pair.steps[0].deed, pair.steps[2].deed)
        };
        let together = |plan: &Plan| {
            plan.episodes.iter().any(|it| {
                let has = |deed| it.steps.iter().any(|step| step.deed == deed);
                has(first) && has(second)
            })
        };
        let suspect = plan.episodes.iter().position(|it| {
            it.steps.len() == 3 && it.steps[0].deed == first && it.steps[2].deed == second
        });
        let mut tries = 0;
        let small = shrink(&plan, &[suspect.unwrap()], 100, |plan| {
            tries += 1;
            together(plan)
        });
        assert_eq!((small.episodes.len(), small.steps()), (1, 2), "{small:?}");
        assert!(tries < 10, "{tries}");
    }

    #[test]
    fn two_episodes_that_need_each_other_are_both_kept() {
        let plan = Plan::of(12, 1200, "native");
        let both = |plan: &Plan| has(plan, Deed::Power) && has(plan, Deed::BadConfig);
        assert!(both(&plan));
        let small = shrink(&plan, &[0], 1000, both);
        assert_eq!(small.steps(), 2, "{small:?}");
        let few = shrink(&plan, &[0], 1, both);
        assert_eq!(few, plan, "after one try that did not fail");
    }
}

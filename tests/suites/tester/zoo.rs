//! Each broken agent is found by its check and by no other; nothing is found in a sound one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use harness::Host;

use crate::animal::{Animal, run};
use crate::said::{Said, tester};
use crate::{has, side_by_side};

/// Far more than the slowest run takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the tester says of an agent, on a machine of its own.
fn judge(animal: &Animal) -> Said {
    let path = animal.path();
    let mut words = vec!["--format", "json"];
    words.extend(animal.options());
    words.push(&path);
    Said::of(&run(&animal.machine(), &tester(), &words, PATIENCE))
}

/// What is wrong with a verdict on a broken agent, when its check has this weight.
fn misjudged(animal: &Animal, weight: &str, said: &Said) -> Option<String> {
    let expected = animal.check();
    let (verdict, code) = match weight {
        "must" => ("fail", 1),
        "should" => ("warn", 0),
        _ => ("info", 0),
    };
    let right = said.with(&[verdict]) == BTreeSet::from([expected])
        && said.with(&["fail", "warn", "info"]).len() == 1
        && said.code == Some(code);
    (!right)
        .then(|| format!("{}: expected {expected} alone, got\n{}", animal.name(), said.report()))
}

/// What is wrong with a verdict on a sound agent.
fn slandered(animal: &Animal, said: &Said) -> Option<String> {
    (!said.is_clean())
        .then(|| format!("{}: expected nothing, got\n{}", animal.name(), said.report()))
}

/// The weight of each check that there is.
fn listed() -> BTreeMap<String, String> {
    let done = run(&Host::new("zoo"), &tester(), &["--list"], PATIENCE);
    assert_eq!(done.code, Some(0), "{done:#?}");
    let entry = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some((words.next()?, words.next()?))
    };
    done.stdout.lines().filter_map(entry).collect()
}

#[test]
fn every_check_has_an_agent_that_it_finds() {
    let listed: BTreeSet<_> = listed().into_keys().collect();
    let broken = Animal::all("broken");
    let named: BTreeSet<_> = broken.iter().map(|animal| animal.check().to_owned()).collect();
    let idle: Vec<_> = listed.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&listed).collect();
    assert!(idle.is_empty(), "no agent is broken for these checks: {idle:?}");
    assert!(unknown.is_empty(), "there are no such checks: {unknown:?}");
}

#[test]
fn a_broken_agent_is_found_by_its_check_alone() {
    if !has(&["xmllint", "bash", "dash"]) {
        return;
    }
    let (all, listed) = (Animal::all("broken"), listed());
    let said = side_by_side(&all, Animal::name, judge);
    let weight = |animal: &Animal| listed.get(animal.check()).map_or("", String::as_str);
    let wrong: Vec<_> = all
        .iter()
        .filter_map(|animal| misjudged(animal, weight(animal), &said[&animal.name()]))
        .collect();
    assert!(wrong.is_empty(), "{} of {} agents:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

#[test]
fn nothing_is_found_in_a_sound_agent() {
    if !has(&["xmllint", "bash", "dash", "perl"]) {
        return;
    }
    let all = Animal::all("sound");
    let said = side_by_side(&all, Animal::name, judge);
    let wrong: Vec<_> =
        all.iter().filter_map(|animal| slandered(animal, &said[&animal.name()])).collect();
    assert!(wrong.is_empty(), "{} of {} agents:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    // A check that no agent passes could as well be one that no agent can pass.
    let passed: BTreeSet<_> = said.values().flat_map(|said| said.with(&["pass"])).collect();
    let never: Vec<_> = listed().into_keys().filter(|id| !passed.contains(id.as_str())).collect();
    assert!(never.is_empty(), "no sound agent passes {never:?}");
}

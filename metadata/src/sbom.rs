//! A bill of materials that lists what one program is linked with. The tool that writes it takes
//! each crate with all that any member of the workspace wants of it, so a program that asks for no
//! page would be blamed for a fault of the HTTP client.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use serde_json::Value;

/// Leaves of a bill (CycloneDX, JSON) what `tree` names, the lines of
/// `cargo tree --prefix none --format {p}`. Paths below `workspace`, which are this machine's,
/// become paths below `/usr/src/ocf-agents`, as in the binaries.
///
/// # Errors
/// When the bill is in another form, or lacks what it must list.
pub fn linked(bill: &str, tree: &str, workspace: &str) -> Result<String, String> {
    let bill = bill.replace(&format!("path+file://{workspace}"), "path+file:///usr/src/ocf-agents");
    let mut bill: Value =
        serde_json::from_str(&bill).map_err(|error| format!("the bill of materials: {error}"))?;
    let linked: BTreeSet<(String, String)> = tree.lines().filter_map(crate_of).collect();
    let mut missing = linked.clone();
    let mut kept = BTreeSet::new();
    // The program itself is no component, but has dependencies.
    kept.extend(bill["metadata"]["component"]["bom-ref"].as_str().map(str::to_owned));
    missing.remove(&named(&bill["metadata"]["component"]));
    let components =
        bill["components"].as_array_mut().ok_or("the bill of materials lists no components")?;
    components.retain(|component| linked.contains(&named(component)));
    for component in components {
        missing.remove(&named(component));
        kept.extend(component["bom-ref"].as_str().map(str::to_owned));
    }
    if let Some((name, version)) = missing.first() {
        return Err(format!("the bill of materials lacks {name} {version}"));
    }
    let keeps =
        |reference: &Value| reference.as_str().is_some_and(|reference| kept.contains(reference));
    if let Some(dependencies) = bill["dependencies"].as_array_mut() {
        dependencies.retain(|entry| keeps(&entry["ref"]));
        for needs in dependencies.iter_mut().filter_map(|entry| entry["dependsOn"].as_array_mut()) {
            needs.retain(keeps);
        }
    }
    serde_json::to_string_pretty(&bill).map(|text| text + "\n").map_err(|error| error.to_string())
}

/// A line such as `nix v0.31.3` or `ocf v0.1.0 (/usr/src/shared)`.
fn crate_of(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
}

fn named(component: &Value) -> (String, String) {
    let word = |name: &str| component[name].as_str().unwrap_or_default().to_owned();
    (word("name"), word("version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILL: &str = r#"{
        "metadata": {"component": {
            "bom-ref": "path+file:///home/me/x/agents/a#a@1.0.0", "name": "a", "version": "1.0.0"}},
        "components": [
            {"bom-ref": "r#nix@0.31.3", "name": "nix", "version": "0.31.3"},
            {"bom-ref": "r#nix@0.30.0", "name": "nix", "version": "0.30.0"},
            {"bom-ref": "r#reqwest@0.13.5", "name": "reqwest", "version": "0.13.5"}],
        "dependencies": [
            {"ref": "path+file:///home/me/x/agents/a#a@1.0.0",
                "dependsOn": ["r#nix@0.31.3", "r#reqwest@0.13.5"]},
            {"ref": "r#nix@0.31.3"},
            {"ref": "r#reqwest@0.13.5", "dependsOn": ["r#nix@0.30.0"]}]}"#;

    #[test]
    fn what_is_not_linked_is_not_listed() {
        let text = linked(
            BILL,
            "a v1.0.0 (/home/me/x/agents/a)\nnix v0.31.3\nnix v0.31.3 (*)\n",
            "/home/me/x",
        )
        .unwrap();
        let bill: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(bill["components"].as_array().map(Vec::len), Some(1));
        assert_eq!(bill["components"][0]["bom-ref"], "r#nix@0.31.3");
        assert_eq!(bill["dependencies"].as_array().map(Vec::len), Some(2));
        assert_eq!(bill["dependencies"][0]["dependsOn"], serde_json::json!(["r#nix@0.31.3"]));
        assert!(!text.contains("reqwest") && !text.contains("/home/me"), "{text}");
    }

    #[test]
    fn a_bill_that_lacks_something_is_refused() {
        let text = linked(BILL, "a v1.0.0\nnix v0.31.3\ntokio v1.54.1\n", "/home/me/x");
        assert_eq!(text.unwrap_err(), "the bill of materials lacks tokio 1.54.1");
        assert!(linked("{}", "", "/").is_err());
    }
}

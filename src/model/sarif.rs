//! Findings in, a SARIF 2.1.0 log out, for code scanning in CI.

use serde_json::{Value, json};

use crate::model::finding::{Finding, RULES, Rule, Severity};

/// The log of one run of `check`. `prefix` leads from the directory that it was started in, where code scanning
/// looks for the files, to the function's.
pub fn log(findings: &[Box<Finding>], prefix: &str) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": env!("CARGO_PKG_NAME"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": RULES.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            } },
            "results": findings.iter().map(|finding| result(finding, prefix)).collect::<Vec<_>>(),
        }],
    })
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "name": rule.name,
        "shortDescription": { "text": rule.name.replace('-', " ") },
        "fullDescription": { "text": rule.explain },
        "help": { "text": format!("fnscaffold explain {}", rule.id) },
        "defaultConfiguration": { "level": level(rule.severity) },
    })
}

fn result(finding: &Finding, prefix: &str) -> Value {
    let parts = [Some(&finding.message), finding.why.as_ref(), finding.fix.as_ref()];
    let text = parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n");
    let mut result = json!({
        "ruleId": finding.rule.id,
        "ruleIndex": RULES.iter().position(|rule| *rule == finding.rule),
        "level": level(finding.severity),
        "message": { "text": text },
    });
    if let Some(path) = &finding.path {
        let mut location = json!({ "artifactLocation": { "uri": uri(&format!("{prefix}{path}")) } });
        if let Some(line) = finding.line {
            location["region"] = json!({ "startLine": line });
        }
        result["locations"] = json!([{ "physicalLocation": location }]);
    }
    result
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// A path as a URI, relative where it is: all but unreserved characters and `/` are escaped.
fn uri(path: &str) -> String {
    let (root, path) = match path.as_bytes() {
        [b'/', ..] => ("file://".to_owned(), path),
        // A drive of Windows.
        [letter, b':', b'/', ..] if letter.is_ascii_alphabetic() => {
            (format!("file:///{}", &path[..2]), &path[2..])
        }
        _ => (String::new(), path),
    };
    let escaped = path.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    root.chars().map(String::from).chain(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding;

    #[test]
    fn a_finding_keeps_its_rule_place_and_words() {
        let finding = finding::MEMORY_INVALID.finding("what").why("why").fix("fix").at("a b/ü.toml").line(7);
        let log = log(&[finding], "functions/a/");
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["message"]["text"], "what\nwhy\nfix");
        assert_eq!(result["level"], "error");
        let location = &result["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uri"], "functions/a/a%20b/%C3%BC.toml");
        assert_eq!(uri("/a/b c"), "file:///a/b%20c");
        assert_eq!(uri("C:/a/b:c"), "file:///C:/a/b%3Ac");
        assert_eq!(location["region"]["startLine"], 7);
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][index]["id"], "FN0207");
    }
}

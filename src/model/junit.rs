//! What came of calls in, a JUnit report that CI systems read out.

use std::fmt::Write as _;

/// One call as a test case.
pub struct Case {
    pub name: String,
    pub seconds: f64,
    /// What is wrong with it, each a line and more.
    pub failures: Vec<(String, String)>,
    /// What the function wrote.
    pub log: String,
}

/// The report on one function.
pub fn report(function: &str, cases: &[Case]) -> String {
    let failures = cases.iter().filter(|case| !case.failures.is_empty()).count();
    let seconds: f64 = cases.iter().map(|case| case.seconds).sum();
    let function = escaped(function);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{function}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" time=\"{seconds:.3}\">",
        cases.len()
    );
    for case in cases {
        let name = escaped(&case.name);
        let _ = writeln!(
            xml,
            "    <testcase classname=\"{function}\" name=\"{name}\" time=\"{:.3}\">",
            case.seconds
        );
        // Readers take one failure a case.
        if let Some((message, _)) = case.failures.first() {
            let all: Vec<_> =
                case.failures.iter().map(|(message, why)| format!("{message}\n{why}")).collect();
            let (message, all) = (escaped(message), escaped(all.join("\n").trim_end()));
            let _ = writeln!(xml, "      <failure message=\"{message}\">{all}</failure>");
        }
        if !case.log.is_empty() {
            let _ = writeln!(xml, "      <system-out>{}</system-out>", escaped(&case.log));
        }
        xml.push_str("    </testcase>\n");
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

/// Text for an element or an attribute. What XML 1.0 cannot hold at all is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push('\t'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_and_escapes() {
        let case = |failures| Case { name: "call 1".to_owned(), seconds: 0.5, failures, log: String::new() };
        let failure = ("a < \"b\"".to_owned(), "x\u{1b}\ny".to_owned());
        let xml = report("my-app", &[case(vec![failure]), case(Vec::new())]);
        assert!(xml.contains("tests=\"2\" failures=\"1\" errors=\"0\" time=\"1.000\""), "{xml}");
        assert!(xml.contains("<failure message=\"a &lt; &quot;b&quot;\">"), "{xml}");
        assert!(xml.contains("x\u{fffd}&#10;y</failure>"), "{xml}");
    }
}

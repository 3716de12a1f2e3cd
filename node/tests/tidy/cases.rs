//! The table of fault cases names tests that exist and carry the number of the case, and leaves none of them out.

use std::collections::BTreeSet;

/// The cases that need no second node, by their numbers.
const CASES: [std::ops::RangeInclusive<u32>; 5] = [1..=30, 45..=51, 59..=74, 76..=76, 79..=79];

/// A test and a case that its comment names (`/// F17.` or `/// F24, F25: why`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CaseOfTest {
    pub case: u32,
    pub test: String,
}

/// A row of the table: `| F17 | what holds | tests | not shown |`.
struct Row {
    tests: Vec<CaseOfTest>,
    case: u32,
    says_why_not: bool,
}

/// What the comments in a Rust file say.
pub(crate) fn tests_in(text: &str) -> Vec<CaseOfTest> {
    let mut found = Vec::new();
    let mut cases = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("/// ") {
            cases.extend(named_cases(comment));
        } else if let Some(test) = function_name(line) {
            found.extend(cases.drain(..).map(|case| CaseOfTest { case, test: test.to_owned() }));
        } else if !line.starts_with("#[") && line != "///" {
            cases.clear();
        }
    }
    found
}

/// Where the page and the comments differ.
pub(crate) fn check(page: &str, tests: &[CaseOfTest]) -> Vec<String> {
    let rows: Vec<_> = page.lines().filter_map(row).collect();
    let mut violations = Vec::new();
    for case in CASES.into_iter().flatten() {
        let of_case: Vec<_> = rows.iter().filter(|row| row.case == case).collect();
        match of_case[..] {
            [row] if row.tests.is_empty() && !row.says_why_not => {
                violations.push(format!("docs/testing.md: F{case} has no test and does not say why"));
            }
            [_] => {}
            _ => violations.push(format!("docs/testing.md: F{case} has {} rows, not one", of_case.len())),
        }
    }
    let listed: BTreeSet<_> = rows.into_iter().flat_map(|row| row.tests).collect();
    let carried: BTreeSet<_> = tests.iter().cloned().collect();
    let missing = listed.difference(&carried);
    violations.extend(missing.map(|CaseOfTest { case, test }| {
        format!("docs/testing.md: F{case} lists `{test}`, and no test of that name has `/// F{case}` above it")
    }));
    let unlisted = carried.difference(&listed);
    violations.extend(
        unlisted.map(|CaseOfTest { case, test }| format!("docs/testing.md: the row of F{case} leaves out `{test}`")),
    );
    violations
}

fn row(line: &str) -> Option<Row> {
    let mut cells = line.strip_prefix("| F")?.split(" | ");
    let case = cells.next()?.parse().ok()?;
    let (tests, not_shown) = (cells.nth(1)?, cells.next()?);
    let names = tests.split('`').skip(1).step_by(2);
    let tests = names.map(|test| CaseOfTest { case, test: test.to_owned() }).collect();
    Some(Row { tests, case, says_why_not: !matches!(not_shown, "- |" | "|") })
}

/// The numbers at the beginning of a comment: `F24, F25: why` has two.
fn named_cases(comment: &str) -> Vec<u32> {
    let numbers = comment.split([':', '.']).next().unwrap_or_default().split(", ");
    numbers.map_while(|word| word.strip_prefix('F')?.parse().ok()).collect()
}

fn function_name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
    let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

#[test]
fn the_numbers_in_a_comment_belong_to_the_test_below() {
    let case = |case, test: &str| CaseOfTest { case, test: test.to_owned() };
    let text = "/// F1, F2: why.\n///\n/// More.\n#[test]\nfn a() {}\n/// F3.\nconst B: u32 = 1;\nfn b() {}\n    /// F4.\n    pub(crate) async fn c(d: u32) {}\n/// Falls on 5.\nfn e() {}\n";
    assert_eq!(tests_in(text), [case(1, "a"), case(2, "a"), case(4, "c")]);
}

#[test]
fn a_case_without_a_test_a_wrong_name_and_a_test_left_out_are_found() {
    let tests = [CaseOfTest { case: 1, test: "a".to_owned() }, CaseOfTest { case: 2, test: "b".to_owned() }];
    let rest = CASES.into_iter().flatten().skip(3);
    let others = rest.map(|case| format!("| F{case} | x | - | later |\n")).collect::<Vec<_>>().concat();
    let whole = |tests| format!("| F1 | x | `a` | - |\n| F2 | x | {tests} | - |\n| F3 | x | - | later |\n{others}");
    assert_eq!(check(&whole("`b`"), &tests), Vec::<String>::new());
    assert_eq!(check(&whole("-"), &tests).len(), 2, "no test and no reason; `b` is left out");
    assert_eq!(check(&whole("`b`, `c`"), &tests).len(), 1, "there is no `c`");
    assert_eq!(check(&others, &tests).len(), 5, "three rows are missing, and two tests are left out");
}

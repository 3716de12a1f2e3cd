//! What of a Markdown page is to be run: console blocks as commands with their output, and scripts.

/// A fenced block that the tour runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    Console(Vec<Step>),
    JavaScript(String),
}

/// A command and what it prints.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) command: String,
    pub(super) output: String,
}

/// The blocks of a page, in order; others than those that are run are left out.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, behind)) = rest.split_once("\n```") {
        let (language, behind) = behind.split_once('\n').expect("a fence has a line of its own");
        let (body, behind) = behind.split_once("\n```").expect("a fence is closed");
        match language {
            "console" => blocks.push(Block::Console(steps(body))),
            "js" => blocks.push(Block::JavaScript(body.to_owned())),
            _ => {}
        }
        rest = behind;
    }
    blocks
}

/// A command begins with `$ ` and goes on until its quotes are closed; its output ends where the next one begins.
fn steps(body: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in body.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), output: String::new() });
            continue;
        }
        let step = steps.last_mut().expect("a console block begins with a command");
        let is_open = step.command.matches('\'').count() % 2 == 1;
        let continued = if is_open { &mut step.command } else { &mut step.output };
        continued.push('\n');
        continued.push_str(line);
    }
    steps
}

/// The arguments of the first call that begins with `call`, which are strings.
pub(super) fn arguments_of(script: &str, call: &str) -> Vec<String> {
    let arguments = script.split_once(call).expect("the call is there").1.split_once(')').expect("it ends").0;
    arguments.split(',').map(|argument| argument.trim().trim_matches('"').to_owned()).collect()
}

/// The objects that the script sends as JSON.
pub(super) fn objects_sent(script: &str) -> Vec<String> {
    let objects = script.split("JSON.stringify(").skip(1).map(|rest| rest.split_once("})").expect("an object").0);
    objects.map(|object| format!("{object}}}")).collect()
}

/// A JavaScript object whose values are JSON, as JSON: names get their quotes.
pub(super) fn as_json(object: &str) -> String {
    let mut json = String::new();
    let mut name = String::new();
    let mut in_text = false;
    for character in object.chars() {
        in_text ^= character == '"';
        if !in_text && (character.is_ascii_alphanumeric() || character == '_') {
            name.push(character);
            continue;
        }
        if character == ':' && !in_text {
            json.extend(["\"", &name, "\""]);
        } else {
            json.push_str(&name);
        }
        name.clear();
        json.push(character);
    }
    json
}

#[test]
fn a_page_is_read_as_it_is_meant() {
    let page = "text\n```sh\nnot run\n```\n```console\n$ one 'a\n  b' c\nprinted\n\n$ two\n```\n```js\nscript\n```\n";
    let step = |command: &str, output: &str| Step { command: command.to_owned(), output: output.to_owned() };
    let console = Block::Console(vec![step("one 'a\n  b' c", "\nprinted\n"), step("two", "")]);
    assert_eq!(blocks(page), [console, Block::JavaScript("script".to_owned())]);
}

#[test]
fn objects_become_json() {
    let script = r#"send(JSON.stringify({ op: "a: b", ref: 1, ids: x.map((m) => m.id) }));"#;
    let object = &objects_sent(script)[0].replace("x.map((m) => m.id)", r#"["q:"]"#);
    assert_eq!(as_json(object), r#"{ "op": "a: b", "ref": 1, "ids": ["q:"] }"#);
}

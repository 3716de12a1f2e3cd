//! What of a Markdown page is to be run: console blocks as commands with their output, and scripts.

/// A fenced block that is run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Console(Vec<Step>),
    Script(Script),
}

/// A program, and what it prints: the `text` block behind it, if there is one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) language: Language,
    pub(crate) text: String,
    pub(crate) output: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    JavaScript,
    Python,
}

/// A command and what it prints.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) output: String,
}

/// The blocks of a page, in order; others than those that are run are left out.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((between, behind)) = rest.split_once("\n```") {
        let (language, behind) = behind.split_once('\n').expect("a fence has a line of its own");
        let (body, behind) = behind.split_once("\n```").expect("a fence is closed");
        let script = |language| Block::Script(Script { language, text: body.to_owned(), output: None });
        match language {
            "console" => blocks.push(Block::Console(steps(body))),
            "js" => blocks.push(script(Language::JavaScript)),
            "python" => blocks.push(script(Language::Python)),
            "text" if between.trim().is_empty() => {
                if let Some(Block::Script(script)) = blocks.last_mut() {
                    script.output = Some(body.to_owned());
                }
            }
            _ => {}
        }
        rest = behind;
    }
    blocks
}

/// The first block of a language, as it is on the page.
pub(crate) fn fenced<'p>(page: &'p str, language: &str) -> Option<&'p str> {
    let (_, behind) = page.split_once(&format!("\n```{language}\n"))?;
    Some(behind.split_once("\n```")?.0)
}

/// A command begins with `$ ` and goes on until its quotes are closed and neither `\` nor `|` ends the line; its output ends
/// where the next one begins.
fn steps(body: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in body.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), output: String::new() });
            continue;
        }
        let step = steps.last_mut().expect("a console block begins with a command");
        let is_open = step.command.matches('\'').count() % 2 == 1 || step.command.ends_with(['\\', '|']);
        let continued = if is_open { &mut step.command } else { &mut step.output };
        continued.push('\n');
        continued.push_str(line);
    }
    steps
}

/// The arguments of the first call that begins with `call`, which are strings.
pub(crate) fn arguments_of(script: &str, call: &str) -> Vec<String> {
    let arguments = script.split_once(call).expect("the call is there").1.split_once(')').expect("it ends").0;
    arguments.split(',').map(|argument| argument.trim().trim_matches('"').to_owned()).collect()
}

/// The objects that the script sends as JSON.
pub(crate) fn objects_sent(script: &str) -> Vec<String> {
    let objects = script.split("JSON.stringify(").skip(1).map(|rest| rest.split_once("})").expect("an object").0);
    objects.map(|object| format!("{object}}}")).collect()
}

/// A JavaScript object whose values are JSON, as JSON: names get their quotes.
pub(crate) fn as_json(object: &str) -> String {
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
    let page = "text\n```sh\nnot run\n```\n```console\n$ one 'a\n  b' \\\n c\nprinted\n\n$ two |\n  three\n```\n\
                ```js\nscript\n```\n```python\na\n\nb\n```\n\n```text\nits\noutput\n```\n\nwords\n\n```text\nnone's\n```\n";
    let step = |command: &str, output: &str| Step { command: command.to_owned(), output: output.to_owned() };
    let console = Block::Console(vec![step("one 'a\n  b' \\\n c", "\nprinted\n"), step("two |\n  three", "")]);
    let script = |language, text: &str, output: Option<&str>| {
        Block::Script(Script { language, text: text.to_owned(), output: output.map(str::to_owned) })
    };
    let js = script(Language::JavaScript, "script", None);
    assert_eq!(blocks(page), [console, js, script(Language::Python, "a\n\nb", Some("its\noutput"))]);
    assert_eq!((fenced(page, "sh"), fenced(page, "yaml")), (Some("not run"), None));
}

#[test]
fn objects_become_json() {
    let script = r#"send(JSON.stringify({ op: "a: b", ref: 1, ids: x.map((m) => m.id) }));"#;
    let object = &objects_sent(script)[0].replace("x.map((m) => m.id)", r#"["q:"]"#);
    assert_eq!(as_json(object), r#"{ "op": "a: b", "ref": 1, "ids": ["q:"] }"#);
}

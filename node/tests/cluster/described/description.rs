//! A description as it is read: operations with their examples, and what an answer must be like.

use serde_json::{Value, json};

use crate::http::{Answer, get};

/// `/openapi.json` or `/asyncapi.json`.
pub(super) struct Description(Value);

/// One method of one path.
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: String,
    path: String,
    text: Value,
}

/// A request that the description gives.
#[derive(Debug)]
pub(super) struct Example {
    pub(super) name: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Description {
    pub(super) fn fetch(address: &str) -> Self {
        Self::fetch_from(address, "/openapi.json")
    }

    pub(super) fn fetch_from(address: &str, path: &str) -> Self {
        let answer = get(address, path);
        assert_eq!(answer.status, 200);
        Self(answer.json())
    }

    pub(super) fn operations(&self) -> Vec<Operation> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        let of_path = |(path, item): (&String, &Value)| {
            let operation = |(method, text): (&String, &Value)| Operation {
                id: text["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                text: text.clone(),
            };
            item.as_object().unwrap().iter().map(operation).collect::<Vec<_>>()
        };
        paths.flat_map(of_path).collect()
    }

    /// Fails unless the answer is one that the operation has.
    #[track_caller]
    pub(super) fn check(&self, operation: &Operation, example: &str, answer: &Answer) {
        let place = format!("{}, {example}", operation.id);
        let response = &operation.text["responses"][answer.status.to_string()];
        assert!(!response.is_null(), "{place}: {} is not described: {answer:?}", answer.status);
        let response = self.resolve(response);
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let is_required = self.resolve(header)["required"] == true;
            assert!(!is_required || answer.header(name).is_some(), "{place}: there is no {name}: {answer:?}");
        }
        let Some(contents) = response["content"].as_object() else {
            assert!(answer.body.is_empty(), "{place}: no body is described: {answer:?}");
            return;
        };
        let media_type = answer.header("content-type").unwrap_or_default();
        let content = contents.get(media_type).unwrap_or_else(|| panic!("{place}: {media_type}: {answer:?}"));
        let body = if media_type.contains("json") { answer.json() } else { json!(answer.body_text()) };
        let faults = self.faults(&content["schema"], &body);
        assert_eq!(faults, Vec::<String>::new(), "{place}: {body}");
    }

    /// The examples of the frames of operations whose names begin so.
    pub(super) fn frame_examples(&self, prefix: &str) -> Vec<Value> {
        let operations = self.0["operations"].as_object().unwrap().iter();
        let ops = operations.filter_map(|(name, _)| name.strip_prefix(prefix));
        ops.map(|op| self.0["components"]["messages"][op]["examples"][0]["payload"].clone()).collect()
    }

    /// Fails unless the frame is described.
    #[track_caller]
    pub(super) fn check_frame(&self, frame: &Value) {
        let op = frame["op"].as_str().unwrap();
        let message = &self.0["components"]["messages"][op];
        assert!(!message.is_null(), "{op} is not described");
        assert_eq!(self.faults(&message["payload"], frame), Vec::<String>::new(), "{frame}");
    }

    fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value.get("$ref") {
            Some(reference) => self.0.pointer(reference.as_str().unwrap().strip_prefix('#').unwrap()).unwrap(),
            None => value,
        }
    }

    fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut root = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": [schema] });
        root["components"] = json!({ "schemas": self.0["components"]["schemas"] });
        let validator = jsonschema::options().should_validate_formats(true).build(&root).unwrap();
        validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
    }
}

impl Operation {
    /// The statuses of success that it has.
    pub(super) fn successes(&self) -> Vec<u16> {
        let statuses = self.text["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap());
        statuses.filter(|status| matches!(status, 200..400)).collect()
    }

    /// Whether its answer has no end, so that nothing else can follow on the connection.
    pub(super) fn is_endless(&self) -> bool {
        self.text.pointer("/responses/200/content/text~1event-stream").is_some()
    }

    /// Whether its body is JSON of one type, not whatever a client likes.
    pub(super) fn takes_json(&self) -> bool {
        self.text.pointer("/requestBody/content/application~1json/schema/$ref").is_some()
    }

    /// The requests of the description. What creates something creates each further example under a name of its own: the
    /// example's behind a dash.
    pub(super) fn examples(&self) -> Vec<Example> {
        let mut examples = Vec::new();
        let contents = self.text.pointer("/requestBody/content").and_then(Value::as_object);
        for (media_type, content) in contents.into_iter().flatten() {
            for (name, example) in content["examples"].as_object().into_iter().flatten() {
                let value = &example["value"];
                let body = value.as_str().filter(|_| media_type != "application/json");
                let body = body.map_or_else(|| serde_json::to_vec(value).unwrap(), |text| text.as_bytes().to_vec());
                let headers = vec![("Content-Type".to_owned(), media_type.clone())];
                examples.push(Example { name: name.clone(), headers, body, ..self.example_without_body() });
            }
        }
        if self.text["requestBody"]["required"] != true {
            examples.insert(0, self.example_without_body());
        }
        let creates = self.id.starts_with("put_");
        let is_usual = |example: &Example| matches!(example.name.as_str(), "plain" | "queue");
        for example in examples.iter_mut().filter(|example| creates && !is_usual(example)) {
            example.target = format!("{}-{}", example.target, example.name);
        }
        examples
    }

    /// A request about things of this name, with this body.
    pub(super) fn example_of(&self, name: &str, body: Option<&str>) -> Example {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let target = self.target(|parameter| match parameter["schema"]["type"].as_str() {
            Some("integer") => "0".to_owned(),
            _ => name.to_owned(),
        });
        // Without its query: what is asked for is not there.
        let target = target.split('?').next().unwrap_or_default().to_owned();
        let body = body.unwrap_or_default().as_bytes().to_vec();
        Example { name: "nowhere".to_owned(), target, headers, body }
    }

    fn example_without_body(&self) -> Example {
        let target = self.target(|parameter| text_of(&parameter["example"]));
        let headers = self.parameters("header").filter(|parameter| parameter.get("example").is_some());
        let headers =
            headers.map(|parameter| (parameter["name"].as_str().unwrap().to_owned(), text_of(&parameter["example"])));
        Example { name: "empty".to_owned(), target, headers: headers.collect(), body: Vec::new() }
    }

    /// The path with its parts filled in, and the query parameters that have an example.
    fn target(&self, part: impl Fn(&Value) -> String) -> String {
        let mut target = self.path.clone();
        for parameter in self.parameters("path") {
            target = target.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &part(parameter));
        }
        let query = self.parameters("query").filter_map(|parameter| {
            Some(format!("{}={}", parameter["name"].as_str().unwrap(), text_of(parameter.get("example")?)))
        });
        let query: Vec<_> = query.collect();
        if query.is_empty() { target } else { format!("{target}?{}", query.join("&")) }
    }

    fn parameters<'o>(&'o self, place: &'o str) -> impl Iterator<Item = &'o Value> {
        let all = self.text["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(move |parameter| parameter["in"] == place)
    }
}

/// A value as it stands in a URL or a header.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

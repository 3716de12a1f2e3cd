//! Schemas of the API's types, collected while the routes are described.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::bounds;

/// Two sets of schemas that become one: of what the node reads, where a field with a default may be missing, and of what
/// it writes, where it never is.
#[derive(Debug)]
pub(super) struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    /// None yet.
    pub(super) fn new() -> Self {
        let settings = || {
            let place = |settings: &mut SchemaSettings| settings.definitions_path = "/components/schemas".into();
            SchemaSettings::draft2020_12().with(place)
        };
        Self {
            requests: settings().for_deserialize().into_generator(),
            answers: settings().for_serialize().into_generator(),
        }
    }

    /// The schema of a type that the node reads.
    pub(super) fn request<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    /// The schema of a type that the node writes.
    pub(super) fn answer<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    /// Takes the schema that [`Schemas::request`] has given a reference to out of the named ones.
    pub(super) fn take_request(&mut self, reference: &Value) -> Option<Value> {
        self.requests.definitions_mut().remove(name_of(reference)?)
    }

    /// Takes the schema that [`Schemas::answer`] has given a reference to out of the named ones.
    pub(super) fn take_answer(&mut self, reference: &Value) -> Option<Value> {
        self.answers.definitions_mut().remove(name_of(reference)?)
    }

    /// Every named schema that was asked for, and those that they name, with their bounds.
    ///
    /// # Panics
    /// If a type that is both read and written has two schemas: there is one name for them.
    pub(super) fn into_components(mut self) -> Map<String, Value> {
        let mut components = self.requests.take_definitions(true);
        for (name, schema) in self.answers.take_definitions(true) {
            if let Some(read) = components.get(&name) {
                assert_eq!(read, &schema, "{name} is written in another way than it is read");
            }
            components.insert(name, schema);
        }
        for (name, schema) in &mut components {
            bounds::apply(name, schema);
        }
        components
    }
}

fn name_of(reference: &Value) -> Option<&str> {
    reference.get("$ref")?.as_str()?.rsplit('/').next()
}

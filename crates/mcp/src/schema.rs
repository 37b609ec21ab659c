//! JSON Schemas of requests and answers, from the schemas that the OpenAPI document has too.

use std::sync::Arc;

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

/// Where the OpenAPI document keeps schemas, and where a JSON Schema does.
const COMPONENTS: &str = "#/components/schemas/";
const DEFS: &str = "#/$defs/";

/// The schema of a type, complete in itself.
pub(crate) fn schema_of<T: ToSchema>() -> Arc<JsonObject> {
    let mut parts: Vec<(String, RefOr<Schema>)> = Vec::new();
    T::schemas(&mut parts);
    let mut schema = object(serde_json::to_value(T::schema()).unwrap_or_default());
    let defs: Map<String, Value> = parts
        .into_iter()
        .map(|(name, part)| (name, serde_json::to_value(part).unwrap_or_default()))
        .collect();
    if !defs.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(defs));
    }
    schema.entry("type").or_insert_with(|| json!("object"));
    let mut schema = Value::Object(schema);
    point_to_defs(&mut schema);
    Arc::new(object(schema))
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

/// References into the OpenAPI document become references into the schema itself.
fn point_to_defs(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                match value {
                    Value::String(target) if key == "$ref" => *target = target.replace(COMPONENTS, DEFS),
                    value => point_to_defs(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(point_to_defs),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use earmark_library::{SearchAnswer, SearchRequest};

    use super::*;

    #[test]
    fn a_schema_is_complete_in_itself() {
        for schema in [schema_of::<SearchRequest>(), schema_of::<SearchAnswer>()] {
            let text = serde_json::to_string(&*schema).unwrap_or_default();
            assert!(!text.contains("#/components"), "{text}");
            for name in text.split(DEFS).skip(1) {
                let name = name.split('"').next().unwrap_or_default();
                assert!(schema["$defs"].get(name).is_some(), "no {name}: {text}");
            }
            assert_eq!(schema["type"], "object");
        }
    }
}

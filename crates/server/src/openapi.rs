//! The OpenAPI document: made from the handlers, with the problems that each operation can answer with, and
//! examples.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AllOf, KnownFormat, ObjectBuilder, OneOf, Schema, SchemaFormat, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::{OpenApi, Ref, RefOr};
use utoipa::{OpenApi as _, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::error::{Kind, Problem, TABLE};
use crate::router::operations;
use crate::state::App;

/// Requests and answers by operation, as `tests/server/openapi.rs` sends and gets them.
const EXAMPLES: &str = include_str!("examples.json");

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "earmark", description = "Find and label sounds by describing them.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    components(schemas(Problem)),
    tags(
        (name = "search", description = "By words, by example, by both"),
        (name = "clips", description = "The sounds of the library"),
        (name = "label", description = "What is heard, and when"),
        (name = "jobs", description = "Indexing"),
        (name = "models", description = "Models and their vectors"),
        (name = "server", description = "The server itself"),
    )
)]
struct Document;

/// Bytes of a file.
pub(crate) struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let bytes = ObjectBuilder::new().schema_type(Type::String);
        bytes.format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))).into()
    }
}

impl ToSchema for Binary {}

/// The OpenAPI document.
#[must_use]
pub fn openapi() -> OpenApi {
    let all: OpenApiRouter<App> = OpenApiRouter::with_openapi(Document::openapi());
    let mut document = all.merge(operations()).into_openapi();
    document.servers = Some(vec![
        ServerBuilder::new().url("/").description(Some("This server")).build(),
        ServerBuilder::new()
            .url("http://127.0.0.1:7788")
            .description(Some("A server on this machine with its defaults"))
            .build(),
    ]);
    let examples: BTreeMap<String, Value> = serde_json::from_str(EXAMPLES).unwrap_or_default();
    for item in document.paths.paths.values_mut() {
        for operation in operations_of(item) {
            add_problems(operation);
            let id = operation.operation_id.clone().unwrap_or_default();
            if let Some(example) = examples.get(&id) {
                add_example(operation, example);
            }
        }
    }
    if let Some(components) = document.components.as_mut() {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("key", scheme);
        // 405 answers methods that are no operations.
        for (kind, ..) in TABLE.iter().filter(|(kind, ..)| *kind != Kind::MethodNotAllowed) {
            components.responses.insert(component(*kind), problem_response(*kind).into());
        }
        components.schemas.values_mut().for_each(settle_references);
    }
    // A server without keys asks for none.
    document.security = Some(vec![SecurityRequirement::default(), SecurityRequirement::new("key", [""; 0])]);
    document
}

/// Writes a reference with a default as `allOf`: with one schema alone, `oneOf` says nothing, and linters
/// refuse it.
fn settle_references(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    for property in object.properties.values_mut() {
        if let RefOr::T(Schema::OneOf(OneOf { items, default, .. })) = property
            && items.len() == 1
        {
            let all = AllOf { items: std::mem::take(items), default: default.take(), ..AllOf::default() };
            *property = RefOr::T(Schema::AllOf(all));
        }
    }
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete]
        .into_iter()
        .filter_map(Option::as_mut)
}

/// The name of a kind's response among the components: `NotFound`.
fn component(kind: Kind) -> String {
    format!("{kind:?}")
}

fn problem_response(kind: Kind) -> Response {
    let (status, name, title) = kind.row();
    let example = Problem {
        kind: format!("urn:earmark:problem:{name}"),
        title: title.to_owned(),
        status: status.as_u16(),
        detail: format!("{title}."),
        field: (kind == Kind::BadRequest).then(|| "query[0].text".to_owned()),
        request_id: Some("4b3f1c2a9d8e7f60".to_owned()),
    };
    let content = ContentBuilder::new()
        .schema(Some(RefOr::Ref(Ref::from_schema_name("Problem"))))
        .example(serde_json::to_value(example).ok());
    ResponseBuilder::new().description(title).content("application/problem+json", content.build()).build()
}

/// Every problem that an operation can answer with, by status. What depends on a request's body or path is not
/// there for operations without one.
fn add_problems(operation: &mut Operation) {
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let has_parameter = |place: utoipa::openapi::path::ParameterIn| {
        operation.parameters.iter().flatten().any(|p| p.parameter_in == place)
    };
    let has_body = operation.request_body.is_some();
    let in_path = has_parameter(utoipa::openapi::path::ParameterIn::Path);
    let kinds = TABLE.iter().map(|(kind, ..)| *kind).filter(|kind| match kind {
        // No key guards these, but the server's name does.
        _ if id == "getHealth" => *kind == Kind::Forbidden,
        _ if id == "getReadiness" => matches!(kind, Kind::Forbidden | Kind::Unavailable | Kind::Internal),
        Kind::MethodNotAllowed => false,
        Kind::NotFound => in_path || has_body,
        Kind::UnsupportedMediaType => has_body,
        Kind::TooLarge | Kind::Undecodable | Kind::Conflict => has_body || in_path,
        Kind::NoSuchRange => id == "getClipAudio",
        _ => true,
    });
    for kind in kinds.collect::<Vec<_>>() {
        let status = kind.row().0.as_u16().to_string();
        let reference = RefOr::Ref(Ref::from_response_name(component(kind)));
        operation.responses.responses.entry(status).or_insert(reference);
    }
}

/// Puts an example's `request` and `answer` beside the schemas.
fn add_example(operation: &mut Operation, example: &Value) {
    if let (Some(request), Some(body)) = (example.get("request"), operation.request_body.as_mut()) {
        for content in body.content.values_mut() {
            content.example = Some(request.clone());
        }
    }
    let Some(answer) = example.get("answer") else { return };
    let succeeded = operation.responses.responses.iter_mut().filter(|(status, _)| status.starts_with('2'));
    for (_, response) in succeeded {
        if let RefOr::T(response) = response {
            for content in response.content.values_mut() {
                content.example = Some(answer.clone());
            }
        }
    }
}

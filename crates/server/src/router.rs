//! Which handler answers what, and who may ask.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::api::{
    classify, clips, describe, duplicates, embeddings, events, health, info, jobs, label_sets, map, media,
    models, peaks, search, spectrogram, tag,
};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::layers::{authorise, outermost, same_origin};
use crate::openapi::openapi;
use crate::page::page;
use crate::parameters::{Parameters, known_parameters};
use crate::state::App;

fn reading() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(search::search))
        .routes(routes!(search::search_by_files))
        .routes(routes!(search::similar))
        .routes(routes!(classify::classify))
        .routes(routes!(classify::classify_files))
        .routes(routes!(events::events))
        .routes(routes!(events::events_in_file))
        .routes(routes!(tag::tag))
        .routes(routes!(tag::tag_files))
        .routes(routes!(describe::describe))
        .routes(routes!(describe::describe_files))
        .routes(routes!(duplicates::duplicates))
        .routes(routes!(clips::list))
        .routes(routes!(clips::get))
        .routes(routes!(media::audio))
        .routes(routes!(peaks::peaks))
        .routes(routes!(spectrogram::spectrogram))
        .routes(routes!(label_sets::list))
        .routes(routes!(label_sets::get))
        .routes(routes!(embeddings::embed_texts))
        .routes(routes!(embeddings::embed_files))
        .routes(routes!(models::models))
        .routes(routes!(info::info))
        .routes(routes!(map::map))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::get))
        .routes(routes!(jobs::events))
        .routes(routes!(jobs::failures))
        .routes(routes!(jobs::all_failures))
        .routes(routes!(jobs::roots))
}

fn writing() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(clips::patch, clips::delete))
        .routes(routes!(clips::upload))
        .routes(routes!(label_sets::put, label_sets::delete))
}

fn administering() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(jobs::start))
        .routes(routes!(jobs::cancel))
        .routes(routes!(health::metrics))
}

fn everybody() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health::health)).routes(routes!(health::ready))
}

/// All operations, without who may ask for them.
pub(crate) fn operations() -> OpenApiRouter<App> {
    reading().merge(writing()).merge(administering()).merge(everybody())
}

/// The router. What others put in front of it is theirs; it limits and guards itself.
pub fn router(app: App) -> Router {
    let document = openapi();
    let known = Parameters::of(&document);
    let guarded = |routes: OpenApiRouter<App>, scope: Scope| {
        let routes = routes.route_layer(from_fn_with_state(known.clone(), known_parameters));
        routes.route_layer(from_fn_with_state((app.clone(), scope), authorise))
    };
    let (api, _) = OpenApiRouter::new()
        .merge(guarded(reading(), Scope::Read))
        .merge(guarded(writing(), Scope::Write))
        .merge(guarded(administering(), Scope::Admin))
        .merge(everybody())
        .split_for_parts();
    let docs = SwaggerUi::new("/docs")
        .url("/openapi.json", document)
        .config(Config::default().try_it_out_enabled(true).validator_url("none"));
    let tools = {
        let app = app.clone();
        let library = move || match app.library() {
            Ok(open) => Ok(Arc::clone(&open.library)),
            Err(e) => Err(e.problem().detail),
        };
        earmark_mcp::http_service(Arc::new(library))
    };
    let tools = Router::new()
        .route_service("/mcp", tools)
        .route_layer(from_fn_with_state((app.clone(), Scope::Read), authorise));
    Router::new()
        .merge(api.with_state(app.clone()))
        .merge(tools)
        .merge(docs)
        .fallback(axum::routing::get(page))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), same_origin))
        .layer(from_fn_with_state(app, outermost))
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    ApiError::internal(format!("panic: {}", text.unwrap_or("of an unknown kind"))).into_response()
}

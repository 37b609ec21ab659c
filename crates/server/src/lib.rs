//! earmark over HTTP: a versioned JSON API, its OpenAPI document, and the page. The only place that knows HTTP and async.
//!
//! - [`Config`]: what can be set; [`Key`]s
//! - [`App`], [`Library`]: what handlers share; [`router`] and [`serve`]: how it is reached
//! - `api`: the endpoints, one file a group; `dto`, `extract`, `uploads`: what goes in and comes out
//! - `error`: the one error type, with the one table of statuses
//! - `layers`, `auth`, `roots`: who may ask for what
//! - `gate`, `texts`, `jobs`: where work is done, on threads of its own and bounded
//! - `label_sets`, `metrics`, `page`, `pca`: what it says

mod api;
mod auth;
mod config;
mod dto;
mod error;
mod extract;
mod gate;
mod graphs;
mod jobs;
mod label_sets;
mod layers;
mod metrics;
mod page;
mod parameters;
mod pca;
mod roots;
mod router;
mod serve;
mod state;
mod texts;
mod uploads;

pub use auth::{Key, Scope};
pub use config::{Bounds, Config, ConfigError, RootConfig};
pub use router::{openapi, router};
pub use serve::{log, serve};
pub use state::{App, Library};

//! The fields of all requests and answers, as JSON Schema: the dataclasses of the Python layer must have the
//! same, which a test checks.

use std::collections::BTreeMap;

use earmark_library::{
    ClassifyAnswer, ClassifyRequest, Clip, ClipPage, DescribeAnswer, DescribeRequest, DuplicatesAnswer,
    DuplicatesProgress, DuplicatesRequest, EventsAnswer, EventsRequest, Filter, IndexProgress, IndexReport,
    IndexRequest, Info, ListRequest, SearchAnswer, SearchRequest, TagAnswer, TagRequest,
};
use pyo3::prelude::*;
use serde_json::Value;
use utoipa::ToSchema;

use crate::ask::json;
use crate::errors::Failure;

/// All schemas by name, as JSON text.
#[pyfunction]
pub(crate) fn schemas(py: Python<'_>) -> PyResult<String> {
    let mut all = BTreeMap::new();
    add::<SearchRequest>(&mut all);
    add::<SearchAnswer>(&mut all);
    add::<ClassifyRequest>(&mut all);
    add::<ClassifyAnswer>(&mut all);
    add::<EventsRequest>(&mut all);
    add::<EventsAnswer>(&mut all);
    add::<TagRequest>(&mut all);
    add::<TagAnswer>(&mut all);
    add::<DescribeRequest>(&mut all);
    add::<DescribeAnswer>(&mut all);
    add::<DuplicatesRequest>(&mut all);
    add::<DuplicatesProgress>(&mut all);
    add::<DuplicatesAnswer>(&mut all);
    add::<ListRequest>(&mut all);
    add::<ClipPage>(&mut all);
    add::<Clip>(&mut all);
    add::<Filter>(&mut all);
    add::<Info>(&mut all);
    add::<IndexRequest>(&mut all);
    add::<IndexProgress>(&mut all);
    add::<IndexReport>(&mut all);
    json(&all).map_err(|e: Failure| e.raise(py))
}

fn add<T: ToSchema>(all: &mut BTreeMap<String, Value>) {
    let mut found = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    let value = |schema| serde_json::to_value(schema).unwrap_or_default();
    all.extend(found.into_iter().map(|(name, schema)| (name, value(schema))));
}

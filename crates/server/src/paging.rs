//! Pages of lists, as query strings ask for them.

use earmark_library::{bounded, cursor, offset};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiResult;

/// How many items and from where.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: usize,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// Items a page if a request does not say.
pub(crate) const ITEMS: usize = 50;

impl Default for PageQuery {
    fn default() -> Self {
        Self { limit: ITEMS, cursor: None }
    }
}

impl PageQuery {
    /// The number of items wanted, within bounds.
    pub(crate) fn limit(&self, most: usize) -> ApiResult<usize> {
        Ok(bounded("limit", self.limit, 1, most)?)
    }

    /// The part of `all` that is asked for, and the cursor of the next one.
    pub(crate) fn of<T>(
        &self,
        all: impl IntoIterator<Item = T>,
        total: usize,
        most: usize,
    ) -> ApiResult<(Vec<T>, Option<String>)> {
        let (limit, start) = (self.limit(most)?, offset(self.cursor.as_deref())?);
        let items: Vec<T> = all.into_iter().skip(start).take(limit).collect();
        let next = start.saturating_add(items.len());
        Ok((items, (next < total).then(|| cursor(next))))
    }
}

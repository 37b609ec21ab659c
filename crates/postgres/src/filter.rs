//! Conditions on clips, in SQL.

use earmark_index::{Filter, PathGlob, Result};

use crate::connections::Connections;
use crate::roots::Roots;
use crate::values::Values;

/// The condition that the path of `c` is this one, or lies in this folder (a stored path here).
pub(crate) fn path_within(roots: &Roots, folder: &str, values: &mut Values) -> String {
    let within = roots.within(folder).into_iter().map(|at| {
        let root = values.add(at.root);
        if at.path.is_empty() {
            return format!("c.root = {root}");
        }
        let (path, inside) = (values.add(at.path.clone()), values.add(format!("{}/", at.path)));
        format!("(c.root = {root} AND (c.path = {path} OR starts_with(c.path, {inside})))")
    });
    let within: Vec<String> = within.collect();
    format!("({})", within.join(" OR "))
}

/// What a filter lets through.
pub(crate) enum Admitted {
    /// All clips of the space.
    All,
    /// Those for which [`conditions`] hold.
    Where,
    /// These alone: globs and parts of paths are compared here, with paths as they are here.
    These(Vec<i64>),
}

/// A filter made ready for SQL.
pub(crate) struct Ready<'a> {
    filter: &'a Filter,
    roots: &'a Roots,
    space: i32,
    pub(crate) admitted: Admitted,
}

impl<'a> Ready<'a> {
    /// Checks a filter, and finds the clips whose paths it wants where SQL cannot.
    pub(crate) fn new(filter: &'a Filter, roots: &'a Roots, space: i32, at: &Connections) -> Result<Self> {
        filter.check_ranges()?;
        let glob = PathGlob::of(filter)?;
        let admitted = if filter.is_open() { Admitted::All } else { Admitted::Where };
        let mut ready = Self { filter, roots, space, admitted };
        if glob.is_none() && filter.path_part.is_none() {
            return Ok(ready);
        }
        let (condition, values) = ready.conditions();
        let statement = format!("SELECT c.id, c.root, c.path FROM earmark.clip c WHERE {condition}");
        let rows = at.query(&statement, &values.all())?;
        let part = filter.path_part.as_ref().map(|part| match filter.path_ignores_case {
            true => part.to_lowercase(),
            false => part.clone(),
        });
        let is_wanted = |path: &str| {
            let has_part = part.as_ref().is_none_or(|part| match filter.path_ignores_case {
                true => path.to_lowercase().contains(part.as_str()),
                false => path.contains(part.as_str()),
            });
            has_part && glob.as_ref().is_none_or(|glob| glob.is_match(path))
        };
        let ids = rows.iter().filter(|row| is_wanted(&roots.to_local(row.get(1), row.get(2))));
        ready.admitted = Admitted::These(ids.map(|row| row.get(0)).collect());
        Ok(ready)
    }

    /// Whether all clips are let through.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.admitted, Admitted::All)
    }

    /// The condition on a clip `c`, and its values.
    pub(crate) fn conditions(&self) -> (String, Values) {
        let mut values = Values::default();
        let condition = self.condition(&mut values);
        (condition, values)
    }

    /// As [`Self::conditions`], with values added to those there are.
    pub(crate) fn condition(&self, values: &mut Values) -> String {
        let mut all = vec![format!("c.space = {}", values.add(self.space))];
        if let Admitted::These(ids) = &self.admitted {
            all.push(format!("c.id = ANY({})", values.add(ids.clone())));
            return all.join(" AND ");
        }
        let f = self.filter;
        if let Some(folder) = &f.path_within {
            all.push(path_within(self.roots, folder, values));
        }
        if !f.tags.is_empty() {
            all.push(format!("c.tags @> {}", values.add(f.tags.clone())));
        }
        if !f.formats.is_empty() {
            let formats: Vec<String> = f.formats.iter().map(|format| format.to_ascii_lowercase()).collect();
            all.push(format!("lower(c.format) = ANY({})", values.add(formats)));
        }
        if let Some(least) = f.min_duration_s {
            all.push(format!("c.duration_s >= {}", values.add(least)));
        }
        if let Some(most) = f.max_duration_s {
            all.push(format!("c.duration_s <= {}", values.add(most)));
        }
        if let Some(since) = f.indexed_since_unix_s {
            all.push(format!("c.indexed_unix_s >= {}", values.add(since)));
        }
        all.join(" AND ")
    }

    /// The statement that counts the clips and segments that are let through.
    pub(crate) fn count(&self) -> (String, Values) {
        let (condition, values) = self.conditions();
        let statement = format!(
            "SELECT count(*), coalesce(sum(c.segments), 0)::bigint FROM earmark.clip c WHERE {condition}"
        );
        (statement, values)
    }
}

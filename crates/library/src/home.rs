//! Where things are kept on this machine.

use std::path::PathBuf;

use earmark_encoder::{Catalogue, GraphCache};
use earmark_index::{Error as IndexError, stored_path};
use earmark_postgres::{DatabaseUrl, Roots};
use etcetera::BaseStrategy as _;

use crate::error::{Error, Result};

/// The user's data folder of earmark: installed models, the default index.
#[must_use]
pub fn data_folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join("earmark"))
}

/// The folders of the user's own models, and of installed ones.
#[must_use]
pub fn model_folders() -> [Option<PathBuf>; 2] {
    let config = etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("earmark"));
    [config, data_folder()].map(|folder| folder.map(|folder| folder.join("models")))
}

/// The models that can be used, and those that can be had.
#[must_use]
pub fn catalogue() -> Catalogue {
    let [own, installed] = model_folders();
    Catalogue::new(own, installed)
}

/// Where optimised graphs are kept unless a setting says otherwise.
#[must_use]
pub fn graph_cache() -> Option<GraphCache> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(GraphCache::at(base.cache_dir().join("earmark").join("graphs")))
}

/// The password for a database whose address has none: `PGPASSWORD`, else that of the password file, which
/// `PGPASSFILE` names ([`password_file`] otherwise).
///
/// # Errors
/// [`IndexError::Database`] for a file that has the password and that others can read.
pub(crate) fn database_password(url: &DatabaseUrl) -> std::result::Result<Option<String>, IndexError> {
    if url.has_password() {
        return Ok(None);
    }
    if let Some(password) = std::env::var("PGPASSWORD").ok().filter(|password| !password.is_empty()) {
        return Ok(Some(password));
    }
    let named = std::env::var_os("PGPASSFILE").filter(|name| !name.is_empty()).map(PathBuf::from);
    let Some(file) = named.or_else(password_file) else { return Ok(None) };
    // As for PostgreSQL's programs, a file that cannot be read is none: perhaps no password is asked for.
    let Some(metadata) = std::fs::metadata(&file).ok().filter(std::fs::Metadata::is_file) else {
        return Ok(None);
    };
    let Some(password) = std::fs::read_to_string(&file).ok().and_then(|text| url.password_in(&text)) else {
        return Ok(None);
    };
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&metadata) & 0o077 != 0 {
        return Err(IndexError::Database {
            place: url.to_string(),
            what: format!(
                "others can read the password file {}, so it is not used; run chmod 0600 on it",
                file.display()
            ),
        });
    }
    Ok(Some(password))
}

/// Where PostgreSQL's programs look for passwords: `.pgpass` in the home folder, on Windows `postgresql/pgpass.conf`
/// in the folder of applications' data.
fn password_file() -> Option<PathBuf> {
    let home = etcetera::home_dir().ok()?;
    Some(match cfg!(windows) {
        true => std::env::var_os("APPDATA").map(PathBuf::from)?.join("postgresql").join("pgpass.conf"),
        false => home.join(".pgpass"),
    })
}

/// Where this machine has the roots of databases, where that differs from what the database says:
/// `EARMARK_ROOTS`, as `NAME=FOLDER`, several separated as in `PATH`.
///
/// # Errors
/// [`Error::Field`] named `EARMARK_ROOTS`.
pub(crate) fn roots() -> Result<Roots> {
    let mut roots = Roots::default();
    let Some(text) = std::env::var_os("EARMARK_ROOTS") else { return Ok(roots) };
    for part in std::env::split_paths(&text).filter(|part| !part.as_os_str().is_empty()) {
        let (name, folder) =
            parse_root(&part.to_string_lossy()).map_err(|e| Error::field_is("EARMARK_ROOTS", e))?;
        roots.set(&name, &stored_path(&folder));
    }
    Ok(roots)
}

/// Reads `NAME=FOLDER`.
///
/// # Errors
/// What was expected.
pub fn parse_root(text: &str) -> std::result::Result<(String, PathBuf), String> {
    let (name, folder) = text.split_once('=').unwrap_or(("", text));
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !is_name {
        return Err(format!(
            "expected NAME=FOLDER, a name of letters, digits, `-`, `_` and `.`; got `{text}`"
        ));
    }
    let folder = PathBuf::from(folder);
    if !folder.is_absolute() {
        return Err(format!(
            "expected the absolute path of a folder after `{name}=`, got `{}`",
            folder.display()
        ));
    }
    Ok((name.to_owned(), folder))
}

//! `earmark serve`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use earmark_engine::EngineOptions;
use earmark_library::{Access, Error, Library, LibraryOptions, Location, Place, Settings};
use earmark_server::{App, Config, Key, RootConfig, Scope};

use crate::args::Global;
use crate::context;
use crate::output::{self, note};
use crate::units::{parse_limit, parse_root};

/// Serve the index to browsers and programs over HTTP
///
/// The page is at the address that is printed, the API under /v1, its reference at /docs. Other machines are
/// served only if there are API keys. Flags take precedence over the environment, the environment over the
/// file of --config, and that over the defaults. --print-config shows the resulting settings in the format of
/// that file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark serve
  earmark serve --root sounds=/srv/sounds --upload-root /srv/uploads
  earmark serve --new-key alice --scope write")]
pub(crate) struct ServeArgs {
    /// Address and port to listen on [default: 127.0.0.1:7788]
    #[arg(long, env = "EARMARK_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Folder that jobs may index, and the name that requests use for it; no file outside these folders is
    /// read (repeatable)
    #[arg(long = "root", env = "EARMARK_ROOTS", value_delimiter = ',', value_name = "NAME=DIR", value_parser = parse_root)]
    pub(crate) roots: Vec<(String, PathBuf)>,
    /// Folder for uploads
    #[arg(long, env = "EARMARK_UPLOAD_ROOT", value_name = "DIR")]
    pub(crate) upload_root: Option<PathBuf>,
    /// Serve other machines without API keys
    #[arg(long, env = "EARMARK_INSECURE")]
    pub(crate) insecure: bool,
    /// Set a limit, such as queue=16; --print-config lists them (repeatable)
    #[arg(long = "limit", env = "EARMARK_LIMITS", value_delimiter = ',', value_name = "NAME=N", value_parser = parse_limit)]
    pub(crate) limits: Vec<(String, f64)>,
    /// Log as JSON lines
    #[arg(long, env = "EARMARK_LOG_JSON")]
    pub(crate) log_json: bool,
    /// Settings file (TOML)
    #[arg(long, env = "EARMARK_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the settings and exit
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Create an API key, print it with the lines to add to the settings file, and exit
    #[arg(long, value_name = "NAME")]
    pub(crate) new_key: Option<String>,
    /// What the new key allows; each scope includes the one before it
    #[arg(long, value_enum, default_value = "read", requires = "new_key")]
    pub(crate) scope: KeyScope,
}

/// What an API key may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KeyScope {
    /// Search, play, label
    Read,
    /// Change tags and label sets, upload, delete
    Write,
    /// Run jobs, read metrics
    Admin,
}

pub(crate) fn run(global: &Global, args: ServeArgs) -> Result<ExitCode> {
    if let Some(name) = &args.new_key {
        return new_key(name, args.scope);
    }
    let print = args.print_config;
    let config = config(args)?;
    if print {
        return print_config(&config);
    }
    earmark_server::log(config.log_json);
    let app = App::new(config.clone())?;
    let (global, quiet, opening) = (global.clone(), global.quiet, app.clone());
    let open = move || library(&global, &config, &opening);
    let ready = |address| {
        if !quiet {
            note!("listening on http://{address}/");
        }
    };
    earmark_server::serve(&app, open, ready)?;
    Ok(ExitCode::SUCCESS)
}

/// Flags and the environment over the file over the defaults.
fn config(args: ServeArgs) -> Result<Config> {
    let mut config = match &args.config {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            toml::from_str(&text).with_context(|| file.display().to_string())?
        }
        None => Config::default(),
    };
    config.listen = args.listen.unwrap_or(config.listen);
    config.insecure |= args.insecure;
    config.log_json |= args.log_json;
    if args.upload_root.is_some() {
        config.upload_root = args.upload_root;
    }
    if !args.roots.is_empty() {
        config.roots = args.roots.into_iter().map(|(name, path)| RootConfig { name, path }).collect();
    }
    if !args.limits.is_empty() {
        let mut limits = toml::Table::try_from(&config.limits)?;
        for (name, value) in args.limits {
            let known: Vec<String> = limits.keys().cloned().collect();
            let Some(limit) = limits.get_mut(&name) else {
                bail!("there is no limit `{name}`; there are: {}", known.join(", "));
            };
            *limit = match limit {
                toml::Value::Integer(_) if value.fract() == 0.0 => toml::Value::Integer(value as i64),
                toml::Value::Integer(_) => bail!("limit {name}: expected a whole number, got {value}"),
                _ => toml::Value::Float(value),
            };
        }
        config.limits = limits.try_into().context("--limit")?;
    }
    config.validate()?;
    Ok(config)
}

fn print_config(config: &Config) -> Result<ExitCode> {
    use std::io::Write;
    let mut out = output::stdout();
    write!(out, "{}", toml::to_string(config)?)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn new_key(name: &str, scope: KeyScope) -> Result<ExitCode> {
    use std::io::Write;
    let scope = match scope {
        KeyScope::Read => Scope::Read,
        KeyScope::Write => Scope::Write,
        KeyScope::Admin => Scope::Admin,
    };
    let (secret, key) = Key::generate(name, scope)?;
    let mut out = output::stdout();
    writeln!(out, "{secret}")?;
    out.flush()?;
    note!(
        "this key is shown once, for its owner; put this into the file of --config, which keeps only its hash:\n\n[[keys]]\n{}",
        toml::to_string(&key)?
    );
    Ok(ExitCode::SUCCESS)
}

/// Opens the library, its index made if it is not there, and says how jobs work.
fn library(global: &Global, config: &Config, app: &App) -> Result<(Library, EngineOptions), Error> {
    let place = context::place(global).map_err(|e| Error::field_is("db", output::chain(&e)))?;
    // Beside the current space, if another model is named.
    drop(context::choose_or_make(&place, global)?);
    let settings = context::settings(global);
    let jobs = EngineOptions {
        threads: global.threads.map_or_else(|| config.job_threads(), usize::from),
        ..settings.engine_options()?
    };
    // Requests share the cores: each gets one.
    let settings = Settings { threads: 1, audio: config.audio_limits(), ..settings };
    let location = match place.location {
        Location::Folder(folder) => Location::Folder(std::path::absolute(&folder).unwrap_or(folder)),
        location => location,
    };
    let options =
        LibraryOptions { access: Access::Live, settings, limits: app.limits(), clip_files: app.clip_files() };
    Ok((Library::open(Place { location, ..place }, options)?, jobs))
}

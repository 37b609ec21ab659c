//! `earmark serve`

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use earmark_audio::ReadOptions;
use earmark_encoder::Catalogue;
use earmark_engine::tag::Tagger;
use earmark_engine::{Engine, EngineOptions, identity};
use earmark_index::LiveIndex;
use earmark_server::{App, Config, Key, Library, RootConfig, Scope};

use crate::args::{Global, KeyScope, ServeArgs};
use crate::output::{self, note};
use crate::{context, open};

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
    let app = App::new(config.clone()).map_err(|e| anyhow!(e))?;
    let (global, quiet) = (global.clone(), global.quiet);
    let open = move || library(&global, &config).map_err(|e| output::chain(&e).to_string());
    let ready = |address| {
        if !quiet {
            note!("listening on http://{address}/");
        }
    };
    earmark_server::serve(&app, open, ready).map_err(|e| anyhow!(e))?;
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
    let (secret, key) = Key::generate(name, scope).map_err(|e| anyhow!(e))?;
    let mut out = output::stdout();
    writeln!(out, "{secret}")?;
    out.flush()?;
    note!(
        "this key is shown once, for its owner; put this into the file of --config, which keeps only its hash:\n\n[[keys]]\n{}",
        toml::to_string(&key)?
    );
    Ok(ExitCode::SUCCESS)
}

/// Opens the index, made if it is not there, and engines for its model.
fn library(global: &Global, config: &Config) -> Result<Library> {
    let (collection, space, model, _hold) = open::space_and_model(global)?;
    let index = LiveIndex::open(&space.path, Some(&identity(&model)), collection.options())?;
    context::tell_events(index.take_events(), global);
    let runtime = context::runtime(global)?;
    let job_options = context::engine_options(global)?;
    let threads = global.threads.map_or_else(|| config.job_threads(), usize::from);
    let read = ReadOptions { limits: config.audio_limits(), ..job_options.read.clone() };
    // Requests share the cores: each gets one.
    let options = EngineOptions { threads: 1, read, ..job_options.clone() };
    let catalogue = context::catalogue();
    let tagger = Catalogue::default_tagger().map(|name| -> Result<Tagger> {
        Ok(Tagger::new(catalogue.open(name)?, runtime.clone(), options.clone())?)
    });
    let folder = context::db_dir(global)?;
    let engine = Engine::new(model, runtime, options);
    // The first to search does not wait for it.
    engine.open_text()?;
    Ok(Library {
        job_engine: engine.beside(EngineOptions { threads, ..job_options }),
        engine,
        tagger: tagger.transpose()?,
        index,
        catalogue,
        folder: absolute(&folder)?,
    })
}

fn absolute(folder: &Path) -> Result<std::path::PathBuf> {
    std::path::absolute(folder).with_context(|| folder.display().to_string())
}

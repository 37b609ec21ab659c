//! `earmark models check` and `verify`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use earmark_encoder::{
    CachedGraph, Catalogue, EncoderError, FileEntry, Manifest, Model, ModelFiles, SelfTestReport, State,
};
use earmark_hub::name_among;

use super::export::shown;
use super::line;
use crate::args::Global;
use crate::output::note;
use crate::units::bytes;
use crate::{context, output};

/// Something to be checked.
struct Subject {
    name: String,
    files: ModelFiles,
    /// Whether all files must be there.
    installed: bool,
}

impl Subject {
    /// The name of its folder, where the folder is among models that are found by name.
    fn folder_name(&self) -> Option<String> {
        let ModelFiles::Folder(folder) = &self.files else { return None };
        let mut among = earmark_library::model_folders().into_iter().flatten();
        among.find_map(|models| name_among(&models, folder))?.into_string().ok()
    }
}

/// Lines, and whether any of them is bad.
#[derive(Default)]
struct Findings {
    lines: Vec<String>,
    wrong: bool,
}

impl Findings {
    fn ok(&mut self, text: &str) {
        self.lines.push(format!("  ok     {text}"));
    }

    fn note(&mut self, text: &str) {
        self.lines.push(format!("  note   {text}"));
    }

    fn wrong(&mut self, text: &str) {
        self.wrong = true;
        self.lines.push(format!("  wrong  {text}"));
    }

    fn cached(&mut self, cached: &CachedGraph) {
        let what = format!("{}, optimised and kept, {}", cached.graph, bytes(cached.bytes));
        if cached.sound {
            self.ok(&what);
        } else {
            self.note(&format!("{what}: it is damaged, and is made anew when it is needed"));
        }
    }

    fn report(&mut self, report: &SelfTestReport) {
        self.wrong |= !report.passed();
        self.lines.extend(report.checks.iter().map(line));
    }
}

pub(super) fn check(global: &Global, models: &[String], write: bool) -> Result<ExitCode> {
    let catalogue = earmark_library::catalogue();
    let subjects = if models.is_empty() {
        all(&catalogue, |_| true)
    } else {
        models.iter().map(|model| subject(&catalogue, model)).collect::<Result<_>>()?
    };
    if write {
        for subject in &subjects {
            write_checksums(global, subject)?;
        }
    }
    run(global, &subjects)
}

/// Fills in the checksums that a manifest lacks. What is wrong with the manifest or missing is for the check
/// to say.
fn write_checksums(global: &Global, subject: &Subject) -> Result<()> {
    let ModelFiles::Folder(folder) = &subject.files else { return Ok(()) };
    let Ok((manifest, text)) = read(&subject.files) else { return Ok(()) };
    if manifest.files.iter().any(|file| !folder.join(&file.path).is_file()) {
        return Ok(());
    }
    let written = earmark_hub::fill_in_checksums(folder, &manifest, &text)?;
    if !written.is_empty() && !global.quiet {
        note!("{}: wrote the checksums of {}", subject.name, written.join(", "));
    }
    Ok(())
}

pub(super) fn verify(global: &Global, names: &[String]) -> Result<ExitCode> {
    let catalogue = earmark_library::catalogue();
    let usable = |state| !matches!(state, State::Downloadable | State::Exportable);
    if names.is_empty() {
        return run(global, &all(&catalogue, usable));
    }
    for name in names {
        // Says how to get it, where it is not here.
        catalogue.open(name)?;
    }
    let subjects: Vec<Subject> = names.iter().map(|name| subject(&catalogue, name)).collect::<Result<_>>()?;
    run(global, &subjects)
}

fn all(catalogue: &Catalogue, wanted: impl Fn(State) -> bool) -> Vec<Subject> {
    let entries = catalogue.entries().into_iter().filter(|entry| wanted(entry.state));
    let subject = |entry: earmark_encoder::CatalogueEntry| Subject {
        installed: !matches!(entry.state, State::Downloadable | State::Exportable),
        name: entry.name,
        files: entry.files,
    };
    entries.map(subject).collect()
}

/// A folder or its manifest, else a name.
fn subject(catalogue: &Catalogue, text: &str) -> Result<Subject> {
    let path = Path::new(text);
    let folder = match path.file_name() {
        Some(last) if last == "manifest.toml" && path.is_file() => path.parent(),
        _ if path.is_dir() => Some(path),
        _ => None,
    };
    let Some(folder) = folder else {
        let known = all(catalogue, |_| true).into_iter().find(|subject| subject.name == text);
        return match known {
            Some(subject) => Ok(subject),
            None => Err(catalogue.open(text).map(drop).err().map_or_else(
                || anyhow::anyhow!("{text}: neither a folder nor the name of a model"),
                Into::into,
            )),
        };
    };
    if !folder.join("manifest.toml").is_file() {
        bail!("{}: there is no manifest.toml in it", folder.display());
    }
    let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_path_buf() };
    Ok(Subject { name: text.to_owned(), files: ModelFiles::Folder(folder), installed: false })
}

fn run(global: &Global, subjects: &[Subject]) -> Result<ExitCode> {
    use std::io::Write as _;
    let mut wrong = false;
    for subject in subjects {
        let findings = find(global, subject)?;
        wrong |= findings.wrong;
        let mut out = output::stdout();
        if !global.quiet || findings.wrong {
            writeln!(out, "{}", output::printable(&subject.name))?;
            for line in &findings.lines {
                writeln!(out, "{}", output::printable(line))?;
            }
        }
        out.flush()?;
    }
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn find(global: &Global, subject: &Subject) -> Result<Findings> {
    let mut findings = Findings::default();
    let manifest = match read(&subject.files) {
        Ok((manifest, _)) => manifest,
        Err(EncoderError::ManifestFields { problems, .. }) => {
            problems.iter().for_each(|problem| findings.wrong(&problem.to_string()));
            return Ok(findings);
        }
        Err(e) => {
            e.to_string().lines().for_each(|line| findings.wrong(line));
            return Ok(findings);
        }
    };
    findings.ok(&format!("manifest: kind {}, {} numbers", manifest.kind.as_str(), manifest.dim));
    if let Some(name) = subject.folder_name().filter(|name| *name != manifest.id) {
        findings.wrong(&format!(
            "its folder is called `{name}` and its id is `{}`, by which an index looks for it; give both one name",
            manifest.id
        ));
    }
    let mut here = true;
    for file in &manifest.files {
        here &= check_file(&mut findings, &manifest, file, subject);
    }
    // Of a model that is still to be got there is nothing to try.
    if here || findings.wrong {
        let runtime = context::runtime(global)?;
        match Model::open(subject.files.clone()) {
            Ok(model) => {
                findings.report(&model.self_test(&runtime));
                model.cached_graphs(&runtime).iter().for_each(|cached| findings.cached(cached));
            }
            Err(e) => findings.wrong(&e.to_string()),
        }
    }
    Ok(findings)
}

/// The manifest, and its text.
fn read(files: &ModelFiles) -> Result<(Manifest, String), EncoderError> {
    match files {
        ModelFiles::Bundled(name) => {
            let file = Catalogue::compiled_in(name).iter().find(|(path, _)| *path == "manifest.toml");
            let bytes = file.map(|(_, bytes)| *bytes).unwrap_or_default();
            let text = String::from_utf8_lossy(bytes).into_owned();
            Ok((Manifest::parse(&text, name)?, text))
        }
        ModelFiles::Folder(folder) => {
            let path = folder.join("manifest.toml");
            let origin = path.display().to_string();
            let text = std::fs::read_to_string(&path).map_err(|e| EncoderError::File {
                model: origin.clone(),
                path: "manifest.toml".to_owned(),
                reason: e.to_string(),
            })?;
            Ok((Manifest::parse(&text, &origin)?, text))
        }
    }
}

/// Whether the file is there with a checksum to hold it against; the self-test does the rest.
fn check_file(findings: &mut Findings, manifest: &Manifest, file: &FileEntry, subject: &Subject) -> bool {
    let here = match &subject.files {
        ModelFiles::Bundled(name) => is_compiled_in(name, file),
        ModelFiles::Folder(folder) => folder.join(&file.path).is_file(),
    };
    let origin = match (&manifest.hub, &file.hub_path, &manifest.export) {
        (Some(hub), Some(path), _) => Some(format!("comes from {path} in {}", hub.repo)),
        (_, _, Some(export)) => Some(format!("is made by {}", export.recipe)),
        // In the checkout ced-tiny has no graph of its own: it shares mini's.
        _ if is_compiled_in(&manifest.id, file) => Some("is inside earmark".to_owned()),
        _ => None,
    };
    match (here, origin) {
        (false, Some(origin)) if !subject.installed && !has_graph(subject, manifest) => {
            findings.note(&format!("{} is not here; it {origin}", file.path));
        }
        (false, _) => findings.wrong(&format!("{} is missing", file.path)),
        // What travels with a manifest of the program's needs none before it is installed.
        (true, _)
            if (file.bytes.is_none() || file.sha256.is_none())
                && matches!(subject.files, ModelFiles::Folder(_)) =>
        {
            findings.wrong(&format!(
                "{} has no bytes and sha256 in the manifest, without which no model is used; `earmark models check \
                 --write {}` writes them",
                file.path,
                shown(std::slice::from_ref(&subject.name))
            ));
        }
        (true, _) => {}
    }
    here
}

/// Whether the folder has a graph: a model that somebody has begun to use, not one that is still to be got.
fn has_graph(subject: &Subject, manifest: &Manifest) -> bool {
    let ModelFiles::Folder(folder) = &subject.files else { return false };
    let text = manifest.text.as_ref().map(|text| &text.graph);
    std::iter::once(&manifest.audio.graph).chain(text).any(|graph| folder.join(graph).is_file())
}

fn is_compiled_in(model: &str, file: &FileEntry) -> bool {
    Catalogue::compiled_in(model).iter().any(|(path, _)| *path == file.path)
}

//! `earmark models pull`, `import` and `remove`

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use earmark_encoder::Precision;
use earmark_hub::{Hub, Installed, Pulled, Settings};

use super::line;
use super::progress::Display;
use crate::args::Global;
use crate::context;
use crate::output::note;
use crate::units::bytes;

pub(super) fn pull(global: &Global, names: &[String], precision: Option<Precision>) -> Result<ExitCode> {
    // What a model is tried with, before hundreds of megabytes come.
    let runtime = context::runtime(global)?;
    let installer = context::installer()?;
    let hub = Hub::new(Settings::from_env()?)?;
    let mut display = Display::new(global.quiet);
    for name in names {
        let pulled = installer.pull(&hub, name, precision, &runtime, &mut |progress| display.tell(progress));
        display.end();
        match pulled? {
            Pulled::Already { name } => note!("{name} is installed, and its files are as they should be"),
            Pulled::Installed(installed) => tell(global, &installed),
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn import(
    global: &Global,
    path: &Path,
    name: Option<&str>,
    as_new: Option<&str>,
    precision: Option<Precision>,
) -> Result<ExitCode> {
    let runtime = context::runtime(global)?;
    let mut display = Display::new(global.quiet);
    let tell_progress = &mut |progress: earmark_hub::Progress<'_>| display.tell(progress);
    let imported = context::installer()?.import(path, name, as_new, precision, &runtime, tell_progress)?;
    imported.installed.iter().for_each(|installed| tell(global, installed));
    for partial in &imported.partial {
        note!(
            "{}: kept {}; still missing: {}",
            partial.name,
            partial.have.join(", "),
            partial.missing.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn remove(global: &Global, names: &[String]) -> Result<ExitCode> {
    let installer = context::installer()?;
    for name in names {
        let removed = installer.remove(name).with_context(|| format!("cannot remove {name}"))?;
        if global.quiet {
            continue;
        }
        let shared = match removed.shared {
            0 => String::new(),
            shared => format!("; {} of it stay on disk, in the hub's cache", bytes(shared)),
        };
        note!("removed {name}, {}{shared}", bytes(removed.bytes));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what was installed, and what its self-test found.
pub(super) fn tell(global: &Global, installed: &Installed) {
    if global.quiet {
        return;
    }
    note!("installed {}, {}, in {}", installed.name, bytes(installed.bytes), installed.folder.display());
    for check in &installed.report.checks {
        note!("{}", line(check));
    }
    if !installed.filled.is_empty() {
        note!("  the checksums of {} are remembered from now on", installed.filled.join(", "));
    }
}

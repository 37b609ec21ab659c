//! `earmark models show`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use earmark_encoder::{Manifest, Model, State};
use earmark_engine::events::EventDefaults;

use super::size;
use crate::output;
use crate::units::bytes;

pub(super) fn run(name: &str, json: bool) -> Result<ExitCode> {
    let catalogue = earmark_library::catalogue();
    // What is not installed can be shown too, as far as its manifest goes.
    let known = catalogue.entries().into_iter().find(|entry| entry.name == name);
    let (model, absent) = match known {
        Some(entry) => {
            let absent = matches!(entry.state, State::Downloadable | State::Exportable);
            (entry.model?, absent)
        }
        None => (catalogue.open(name)?, false),
    };
    if json {
        output::json(model.manifest())?;
        return Ok(ExitCode::SUCCESS);
    }
    let files = if absent {
        catalogue.open(name).err().map(|e| e.to_string()).unwrap_or_default()
    } else {
        match model.verify_files() {
            Ok(()) => {
                let total = size(model.manifest()).map(bytes).unwrap_or_default();
                format!("{} files, {total}, as the manifest says", model.manifest().files.len())
            }
            Err(e) => format!("problem: {e}"),
        }
    };
    let place = if absent { "only its manifest is here".to_owned() } else { model.files().describe() };
    let cells: Vec<Vec<String>> =
        rows(&model, place, files).into_iter().map(|(k, v)| vec![k.to_owned(), v]).collect();
    let mut out = output::stdout();
    output::table(&mut out, &[], &cells)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn rows(model: &Model, place: String, files: String) -> Vec<(&'static str, String)> {
    let m = model.manifest();
    let rate = m.front_end.sample_rate();
    let hop_s = m.window.hop_samples as f64 / f64::from(rate);
    let named = if m.axes.is_some() { ", one for each named sound class" } else { "" };
    let mut rows = vec![
        ("name", format!("{} ({})", m.id, m.name)),
        ("kind", m.kind.as_str().to_owned()),
        ("about", m.description.clone()),
        ("licence", m.licence.clone()),
        ("source", m.source.clone()),
    ];
    if let Some(hub) = &m.hub {
        rows.push(("hub", format!("{} at {}", hub.repo, hub.revision)));
    }
    if let Some(export) = &m.export {
        rows.push(("checkpoint", export.checkpoint.clone()));
    }
    rows.extend([
        ("place", place),
        ("files", files),
        ("embedding", format!("{} numbers{named}", m.dim)),
        ("listens at", format!("{rate} Hz, windows of {:.2} s every {hop_s:.2} s", m.window_s())),
        ("index keeps", index_keeps(m)),
        ("events", events(m)),
        ("scores", if m.scores.calibrated { "calibrated".to_owned() } else { "uncalibrated".to_owned() }),
        ("vector hash", model.vector_hash().to_owned()),
    ]);
    rows
}

fn index_keeps(m: &Manifest) -> String {
    match m.segment.windows {
        1 => "one vector for each window".to_owned(),
        windows => format!("one vector for {windows} windows"),
    }
}

/// How `earmark events` listens, and what it does where nothing else is asked for.
fn events(m: &Manifest) -> String {
    let rate = f64::from(m.front_end.sample_rate());
    let defaults = EventDefaults::of(m);
    let length = m.detect.as_ref().map_or(m.window.length_samples, |detect| detect.length_samples);
    let seconds = |samples: usize| samples as f64 / rate;
    let context = m.detect.as_ref().map_or_else(String::new, |detect| {
        format!(" within windows of {:.2} s every {:.2} s", m.window_s(), seconds(detect.context_hop_samples))
    });
    format!(
        "windows of {:.2} s every {:.2} s{context}; --threshold {:.2}, --release {:.2}, --smooth {}s, \
         --min-duration {}s, --merge-gap {}s",
        seconds(length),
        seconds(defaults.hop_samples),
        defaults.threshold,
        defaults.threshold * defaults.release_share,
        defaults.smooth_s,
        defaults.min_duration_s,
        defaults.merge_gap_s
    )
}

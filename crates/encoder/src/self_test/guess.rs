//! What in a front end would make known vectors right: the usual mistakes, tried one by one.

use earmark_audio::{FrontEndSpec, LogKind, LogMelSpec, MelNorm, MelScale, Spectrum};

use super::{GoldenAudio, rows_of, signals};
use crate::audio::pool;
use crate::{AudioEncoder, Embedding, Manifest};

/// Rates that models are trained at.
const RATES: [u32; 7] = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

/// The field of the front end, and its value, with which `encoder` gives the known vector; `None` if none of
/// the usual mistakes explains it.
pub(super) fn mistake(manifest: &Manifest, encoder: &AudioEncoder, golden: &GoldenAudio) -> Option<String> {
    variants(&manifest.front_end).into_iter().find_map(|(change, front_end)| {
        let variant = Manifest { front_end, ..manifest.clone() };
        let stream = variant.plan(&variant.window).ok()?;
        // A variant with other shapes is not what the graph takes.
        if stream.shape() != encoder.shape() {
            return None;
        }
        let samples = signals::make(&golden.signal, variant.front_end.sample_rate())?;
        let got = pool(&variant, &rows_of(stream, encoder, &samples).ok()?, &golden.signal).ok()?;
        let known = Embedding::from_values(golden.vector.clone(), &manifest.id, &golden.signal).ok()?;
        let right = known.as_slice().len() == got.as_slice().len() && got.cosine(&known) >= golden.cosine;
        right.then_some(change)
    })
}

/// Front ends that differ in one field, or in both that say which filters, with what differs.
fn variants(front_end: &FrontEndSpec) -> Vec<(String, FrontEndSpec)> {
    let rates = RATES.into_iter().filter(|rate| *rate != front_end.sample_rate());
    let of_rate = |sample_rate: u32| {
        let mut other = front_end.clone();
        match &mut other {
            FrontEndSpec::LogMel(spec) => spec.sample_rate = sample_rate,
            FrontEndSpec::KaldiFbank(spec) => spec.sample_rate = sample_rate,
            FrontEndSpec::Waveform(spec) => spec.sample_rate = sample_rate,
        }
        (format!("`front_end.sample_rate` = {sample_rate}"), other)
    };
    let mut variants: Vec<_> = rates.map(of_rate).collect();
    let FrontEndSpec::LogMel(spec) = front_end else { return variants };
    let mut add = |change: &str, edit: &dyn Fn(&mut LogMelSpec)| {
        let mut other = spec.clone();
        edit(&mut other);
        if other != *spec {
            variants.push((change.to_owned(), FrontEndSpec::LogMel(other)));
        }
    };
    add("`front_end.log`, type \"db\"", &|spec| spec.log.kind = LogKind::Db);
    add("`front_end.log`, type \"ln\"", &|spec| spec.log.kind = LogKind::Ln);
    add("`front_end.log`, type \"log10\"", &|spec| spec.log.kind = LogKind::Log10);
    add("`front_end.spectrum` = \"power\"", &|spec| spec.spectrum = Spectrum::Power);
    add("`front_end.spectrum` = \"magnitude\"", &|spec| spec.spectrum = Spectrum::Magnitude);
    for (scale, scale_name) in [(MelScale::Slaney, "slaney"), (MelScale::Htk, "htk")] {
        for (norm, norm_name) in [(MelNorm::Slaney, "slaney"), (MelNorm::None, "none")] {
            let mut changed = Vec::new();
            if scale != spec.mel_scale {
                changed.push(format!("`front_end.mel_scale` = \"{scale_name}\""));
            }
            if norm != spec.mel_norm {
                changed.push(format!("`front_end.mel_norm` = \"{norm_name}\""));
            }
            add(&changed.join(" and "), &|spec| (spec.mel_scale, spec.mel_norm) = (scale, norm));
        }
    }
    variants
}

//! What a user asks of events, and what follows from it for a model.

use earmark_encoder::Manifest;

use crate::EngineError;
use crate::readout::THRESHOLD;

/// How events are told from scores. What is `None` is the model's own ([`EventOptions::settle`]).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventOptions {
    /// Independent probability at which an event begins, 0 to 1.
    pub threshold: Option<f32>,
    /// Probability below which it ends; at most `threshold`. Hysteresis keeps an event whole over a dip.
    pub release: Option<f32>,
    /// Hop between windows, seconds.
    pub hop_s: Option<f64>,
    /// Length of the median filter, seconds: outliers shorter than half of it vanish. 0 for none.
    pub smooth_s: Option<f64>,
    /// Shorter events are dropped, seconds.
    pub min_duration_s: Option<f64>,
    /// Events of one label closer than this become one, seconds.
    pub merge_gap_s: Option<f64>,
}

/// Longest median filter, seconds: longer ones say nothing about when, and sorting them takes time.
const MAX_SMOOTH_S: f64 = 60.0;

/// What a model does where nothing else is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventDefaults {
    /// See [`EventOptions::threshold`].
    pub threshold: f32,
    /// The release level as a share of the threshold.
    pub release_share: f32,
    /// Hop between windows, in samples at the model's rate.
    pub hop_samples: usize,
    /// See [`EventOptions::smooth_s`].
    pub smooth_s: f64,
    /// See [`EventOptions::min_duration_s`].
    pub min_duration_s: f64,
    /// See [`EventOptions::merge_gap_s`].
    pub merge_gap_s: f64,
}

impl EventDefaults {
    /// The defaults of a model: its `[detect]`, or an eighth of a window and short gaps for a model without
    /// it.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let hop_samples = whole_frames(manifest, length_samples(manifest) / 8);
        match &manifest.detect {
            Some(detect) => Self {
                threshold: THRESHOLD,
                release_share: detect.release,
                hop_samples: detect.hop_samples,
                // Windows half of which is new say little twice; a median of three would drop short sounds.
                smooth_s: 0.0,
                min_duration_s: detect.min_duration_s,
                merge_gap_s: detect.merge_gap_s,
            },
            None => Self {
                threshold: THRESHOLD,
                // A dip of less than a third is no end.
                release_share: 0.7,
                hop_samples,
                smooth_s: 0.36,
                min_duration_s: 0.2,
                merge_gap_s: 0.3,
            },
        }
    }
}

/// How events are told from scores, with nothing left open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventSettings {
    /// Independent probability at which an event begins, 0 to 1.
    pub threshold: f32,
    /// Probability below which it ends.
    pub release: f32,
    /// Take each label's own threshold instead, and `release_share` of it.
    pub own_thresholds: bool,
    /// See [`EventDefaults::release_share`].
    pub release_share: f32,
    /// Hop between windows, in samples at the model's rate.
    pub hop_samples: usize,
    /// Length of the median filter, seconds.
    pub smooth_s: f64,
    /// Shorter events are dropped, seconds.
    pub min_duration_s: f64,
    /// Events of one label closer than this become one, seconds.
    pub merge_gap_s: f64,
}

impl EventOptions {
    /// Checks the settings by themselves.
    ///
    /// # Errors
    /// [`EngineError::Setting`] that names the one out of range.
    pub fn validate(&self) -> Result<(), EngineError> {
        let check = |ok: bool, field: &'static str, expected: &str, received: String| {
            if ok {
                Ok(())
            } else {
                Err(EngineError::Setting { field, expected: expected.to_owned(), received })
            }
        };
        let threshold = self.threshold.unwrap_or(THRESHOLD);
        check((0.0..=1.0).contains(&threshold), "threshold", "0 to 1", threshold.to_string())?;
        let release = self.release.unwrap_or(0.0);
        check((0.0..=threshold).contains(&release), "release", "0 to the threshold", release.to_string())?;
        let smooth_ok = self.smooth_s.is_none_or(|smooth_s| smooth_s <= MAX_SMOOTH_S);
        check(smooth_ok, "smooth_s", "at most 60 s", self.smooth_s.unwrap_or_default().to_string())?;
        let seconds = [
            ("smooth_s", self.smooth_s),
            ("min_duration_s", self.min_duration_s),
            ("merge_gap_s", self.merge_gap_s),
            ("hop_s", self.hop_s),
        ];
        for (field, value) in seconds.into_iter().filter_map(|(field, value)| Some((field, value?))) {
            let ok = value.is_finite() && value >= 0.0 && (field != "hop_s" || value > 0.0);
            let expected = if field == "hop_s" { "more than 0 s" } else { "a number of seconds" };
            check(ok, field, expected, value.to_string())?;
        }
        Ok(())
    }

    /// Fills in what is left open as the model says.
    ///
    /// # Errors
    /// [`EngineError::Setting`] that names the one out of range.
    pub fn settle(&self, manifest: &Manifest) -> Result<EventSettings, EngineError> {
        self.validate()?;
        let defaults = EventDefaults::of(manifest);
        let rate = f64::from(manifest.front_end.sample_rate());
        let window_s = length_samples(manifest) as f64 / rate;
        let hop_samples = match self.hop_s {
            Some(hop_s) if hop_s > window_s => {
                return Err(EngineError::Setting {
                    field: "hop_s",
                    expected: format!("at most the model's window, {window_s:.3} s"),
                    received: format!("{hop_s} s"),
                });
            }
            Some(hop_s) => whole_frames(manifest, (hop_s * rate) as usize),
            None => defaults.hop_samples,
        };
        let threshold = self.threshold.unwrap_or(defaults.threshold);
        Ok(EventSettings {
            threshold,
            release: self.release.unwrap_or(threshold * defaults.release_share),
            own_thresholds: self.threshold.is_none() && self.release.is_none(),
            release_share: defaults.release_share,
            hop_samples,
            smooth_s: self.smooth_s.unwrap_or(defaults.smooth_s),
            min_duration_s: self.min_duration_s.unwrap_or(defaults.min_duration_s),
            merge_gap_s: self.merge_gap_s.unwrap_or(defaults.merge_gap_s),
        })
    }
}

/// Length of the windows that tell when, in samples at the model's rate.
pub(super) fn length_samples(manifest: &Manifest) -> usize {
    manifest.detect.as_ref().map_or(manifest.window.length_samples, |detect| detect.length_samples)
}

/// `wanted` samples as a whole number of the front end's frames, so that overlapping windows can share them;
/// at least one, and at most a window.
fn whole_frames(manifest: &Manifest, wanted: usize) -> usize {
    let frame = manifest.front_end.hop_length().max(1);
    (wanted / frame * frame).max(frame).min(length_samples(manifest))
}

#[cfg(test)]
mod tests {
    use earmark_encoder::{Catalogue, Detect};

    use super::*;
    use crate::events::detect_for_tests;

    fn manifest(detect: Option<Detect>) -> Manifest {
        Manifest { detect, ..Catalogue::default().open("yamnet").unwrap().manifest().clone() }
    }

    #[test]
    fn a_model_without_detection_windows_has_what_it_always_had() {
        let settings = EventOptions::default().settle(&manifest(None)).unwrap();
        assert_eq!(settings.hop_samples, 15_600 / 8 / 160 * 160);
        assert_eq!((settings.threshold, settings.release, settings.own_thresholds), (0.5, 0.35, true));
        let times = (settings.smooth_s, settings.min_duration_s, settings.merge_gap_s);
        assert_eq!(times, (0.36, 0.2, 0.3));
    }

    #[test]
    fn what_is_not_asked_for_is_as_the_model_says() {
        let manifest = manifest(Some(detect_for_tests()));
        let settings = EventOptions::default().settle(&manifest).unwrap();
        assert_eq!((settings.hop_samples, settings.release), (4000, 0.45));
        let times = (settings.smooth_s, settings.min_duration_s, settings.merge_gap_s);
        assert_eq!(times, (0.0, 0.4, 2.0));
        let asked = EventOptions {
            threshold: Some(0.6),
            hop_s: Some(0.1),
            merge_gap_s: Some(0.0),
            ..EventOptions::default()
        };
        let settings = asked.settle(&manifest).unwrap();
        assert!((settings.release - 0.54).abs() < 1e-6 && !settings.own_thresholds);
        assert_eq!((settings.hop_samples, settings.merge_gap_s), (1600, 0.0));
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let named =
            |bad: EventOptions| bad.settle(&manifest(Some(detect_for_tests()))).unwrap_err().to_string();
        assert!(named(EventOptions { release: Some(0.9), ..Default::default() }).contains("release"));
        assert!(
            named(EventOptions { threshold: Some(f32::NAN), ..Default::default() }).contains("threshold")
        );
        assert!(named(EventOptions { hop_s: Some(0.0), ..Default::default() }).contains("hop_s"));
        let error = named(EventOptions { hop_s: Some(0.6), ..Default::default() });
        assert!(error.contains("hop_s") && error.contains("0.500 s"), "{error}");
    }
}

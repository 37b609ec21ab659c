//! What is wrong with a manifest, field by field.

use std::fmt::Display;

use super::{ExportRecipe, InputAxis, Kind, Manifest, Op, SCHEMA};
use crate::FieldProblem;

/// Constant dimensions and tokens of a graph's input at most: memory is set aside for as many.
const MAX_AXIS: usize = 1 << 16;

/// Bytes of a file at most; no graph comes near.
const MAX_BYTES: u64 = 1 << 40;

/// Collects problems.
#[derive(Default)]
struct Checks(Vec<FieldProblem>);

impl Checks {
    fn that(&mut self, ok: bool, field: &str, expected: &str, received: &dyn Display) {
        if !ok {
            let (expected, received) = (expected.to_owned(), received.to_string());
            self.0.push(FieldProblem { field: field.to_owned(), expected, received });
        }
    }

    fn spec(&mut self, field: &str, result: Result<(), earmark_audio::SpecError>) {
        if let Err(e) = result {
            let field =
                if e.field.contains('.') { e.field.to_owned() } else { format!("{field}.{}", e.field) };
            self.0.push(FieldProblem { field, expected: e.expected, received: e.received });
        }
    }

    /// As [`Checks::spec`], for windows that are described in `table` instead of `window`.
    fn window(&mut self, table: &str, result: Result<(), earmark_audio::SpecError>) {
        let before = self.0.len();
        self.spec(table, result);
        for problem in &mut self.0[before..] {
            if let Some(field) = problem.field.strip_prefix("window.") {
                problem.field = format!("{table}.{field}");
            }
        }
    }
}

impl Manifest {
    /// Everything that is wrong with this manifest by itself; whether its files fit is another matter.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldProblem> {
        let mut checks = Checks::default();
        checks.that(self.schema == SCHEMA, "schema", "1", &self.schema);
        let id_ok = !self.id.is_empty()
            && !self.id.starts_with('.')
            && self.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c));
        checks.that(id_ok, "id", "lower-case letters, digits, `-`, `.` and `_`", &self.id);
        checks.that((1..=65_536).contains(&self.dim), "dim", "1 to 65536", &self.dim);
        checks.that(self.segment.windows > 0, "segment.windows", "at least 1", &self.segment.windows);
        checks.spec("front_end", self.front_end.validate());
        checks.spec("features", self.features.validate());
        checks.spec("window", self.window.validate(&self.features));
        if checks.0.is_empty() {
            // Of parts that are sound by themselves: whether they go together.
            checks.spec("features", self.plan(&self.window).map(drop));
        }
        self.check_detect(&mut checks);
        self.check_audio(&mut checks);
        self.check_text(&mut checks);
        self.check_tagger(&mut checks);
        self.check_scores(&mut checks);
        self.check_files(&mut checks);
        checks.0
    }

    fn check_detect(&self, checks: &mut Checks) {
        let Some(detect) = &self.detect else { return };
        let whole = checks.0.is_empty();
        let window = detect.window();
        checks.window("detect", window.validate(&self.features));
        if whole && checks.0.is_empty() {
            checks.window("detect", self.plan(&window).map(drop));
        }
        let context = self.window.length_samples;
        let expected = format!("at most window.length_samples ({context})");
        let length = detect.length_samples;
        checks.that(length <= context, "detect.length_samples", &expected, &length);
        let (hop, expected) = (detect.context_hop_samples, format!("1 to window.length_samples ({context})"));
        checks.that((1..=context).contains(&hop), "detect.context_hop_samples", &expected, &hop);
        if let Some(axes) = detect.axes {
            let expected = format!("1 to dim ({})", self.dim);
            checks.that((1..=self.dim).contains(&axes), "detect.axes", &expected, &axes);
        }
        let scale_ok = detect.scale > 0.0 && detect.scale.is_finite();
        checks.that(scale_ok, "detect.scale", "more than 0", &detect.scale);
        checks.that(detect.bias.is_finite(), "detect.bias", "a finite number", &detect.bias);
        let floor_s = detect.floor_window_s;
        checks.that(floor_s > 0.0 && floor_s.is_finite(), "detect.floor_window_s", "more than 0", &floor_s);
        let rivalry_ok = detect.rivalry >= 0.0 && detect.rivalry.is_finite();
        checks.that(rivalry_ok, "detect.rivalry", "0 or more", &detect.rivalry);
        let shares = [
            ("detect.near_share", detect.near_share),
            ("detect.floor_max", detect.floor_max),
            ("detect.release", detect.release),
        ];
        for (field, value) in shares {
            checks.that((0.0..=1.0).contains(&value), field, "0 to 1", &value);
        }
        let times =
            [("detect.merge_gap_s", detect.merge_gap_s), ("detect.min_duration_s", detect.min_duration_s)];
        for (field, value) in times {
            checks.that(value >= 0.0 && value.is_finite(), field, "0 or more", &value);
        }
        checks.that((0.0..=0.5).contains(&detect.reach), "detect.reach", "0 to 0.5", &detect.reach);
    }

    fn check_audio(&self, checks: &mut Checks) {
        let shape = &self.audio.input_shape;
        let named = |name: &str| shape.iter().any(|a| matches!(a, InputAxis::Named(n) if n == name));
        for axis in shape {
            let (ok, shown) = match axis {
                InputAxis::Named(n) => {
                    (["batch", "channels", "frames", "mels", "samples"].contains(&n.as_str()), n.clone())
                }
                InputAxis::Fixed(n) => ((1..=MAX_AXIS as i64).contains(n), n.to_string()),
            };
            let expected = "`batch`, `channels`, `frames`, `mels`, `samples` or a number from 1 to 65536";
            checks.that(ok, "audio.input_shape", expected, &shown);
        }
        let shown = || {
            let name = |axis: &InputAxis| match axis {
                InputAxis::Named(n) => n.clone(),
                InputAxis::Fixed(n) => n.to_string(),
            };
            format!("[{}]", shape.iter().map(name).collect::<Vec<_>>().join(", "))
        };
        let batch_first = matches!(shape.first(), Some(InputAxis::Named(n)) if n == "batch");
        checks.that(batch_first, "audio.input_shape", "`batch` first", &shown());
        let raw = matches!(self.front_end, earmark_audio::FrontEndSpec::Waveform(_));
        let whole = if raw { named("samples") } else { named("frames") && named("mels") };
        let expected = if raw { "`samples` for a raw waveform" } else { "`frames` and `mels`" };
        checks.that(whole, "audio.input_shape", expected, &shown());
        ends_in_l2(checks, "audio.post", &self.audio.post);
    }

    fn check_text(&self, checks: &mut Checks) {
        if let Some(text) = &self.text {
            ends_in_l2(checks, "text.post", &text.post);
            checks.that(
                text.prompt.contains("{}"),
                "text.prompt",
                "`{}` where the label goes",
                &quoted(&text.prompt),
            );
            let both = text.familiarity_output.is_some() == self.scores.familiarity.is_some();
            checks.that(
                both,
                "scores.familiarity",
                "a table, together with text.familiarity_output",
                &"one of them",
            );
            let in_range = (3..=MAX_AXIS).contains(&text.max_tokens);
            checks.that(in_range, "text.max_tokens", &format!("3 to {MAX_AXIS}"), &text.max_tokens);
            let both = text.pad_id.is_some() == text.pad_to.is_some();
            checks.that(both, "text.pad_to", "pad_id and pad_to together", &"one of them");
            if let Some(pad_to) = text.pad_to {
                let expected = format!("max_tokens ({})", text.max_tokens);
                checks.that(pad_to == text.max_tokens, "text.pad_to", &expected, &pad_to);
            }
        }
        if let Some(anchors) = &self.text_anchors {
            let t = anchors.temperature;
            checks.that(t > 0.0 && t.is_finite(), "text_anchors.temperature", "more than 0", &t);
            checks.that(self.text.is_none(), "text_anchors", "nothing beside a text graph", &"both");
            checks.that(self.axes.is_some(), "axes", "names of the axes, for text_anchors", &"nothing");
        }
        let (joint, audio) = (self.kind == Kind::Joint, self.kind == Kind::Audio);
        checks.that(!joint || self.has_text(), "text", "a text graph, since kind is joint", &"nothing");
        checks.that(!audio || !self.has_text(), "kind", "joint or tagger, since there is text", &"audio");
    }

    fn check_tagger(&self, checks: &mut Checks) {
        let wanted = self.kind == Kind::Tagger;
        checks.that(!wanted || self.tagger.is_some(), "tagger", "a table, since kind is tagger", &"nothing");
        checks.that(
            wanted || self.tagger.is_none(),
            "kind",
            "tagger, since there are classes",
            &self.kind.as_str(),
        );
        if let Some(tagger) = &self.tagger {
            let t = tagger.threshold;
            checks.that((0.0..=1.0).contains(&t), "tagger.threshold", "0 to 1", &t);
            let scaled = tagger.post.iter().any(|op| matches!(op, Op::L2 | Op::Sqrt));
            checks.that(!scaled, "tagger.post", "sigmoid, softmax or nothing", &format!("{:?}", tagger.post));
        }
    }

    fn check_scores(&self, checks: &mut Checks) {
        let s = &self.scores;
        if let Some(scale) = s.logit_scale {
            checks.that(scale > 0.0 && scale.is_finite(), "scores.logit_scale", "more than 0", &scale);
        }
        let known = !s.calibrated || s.logit_scale.is_some();
        checks.that(known, "scores.logit_scale", "a number, since scores are calibrated", &"nothing");
        checks.that(s.multi_scale > 0.0, "scores.multi_scale", "more than 0", &s.multi_scale);
        checks.that(s.multi_bias.is_finite(), "scores.multi_bias", "a finite number", &s.multi_bias);
        let none = s.none_similarity.map(|value| ("scores.none_similarity", value));
        for (field, value) in none.into_iter().chain([("scores.min_similarity", s.min_similarity)]) {
            checks.that((-1.0..=1.0).contains(&value), field, "-1 to 1", &value);
        }
    }

    fn check_files(&self, checks: &mut Checks) {
        for file in &self.files {
            let ok = is_inside(&file.path) && file.path != "manifest.toml";
            checks.that(ok, "files.path", INSIDE, &quoted(&file.path));
            let bytes = file.bytes.unwrap_or_default();
            checks.that(bytes <= MAX_BYTES, "files.bytes", &format!("at most {MAX_BYTES}"), &bytes);
            if let Some(sha256) = &file.sha256 {
                let ok = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
                checks.that(ok, "files.sha256", "64 hexadecimal digits", &quoted(sha256));
            }
            let twice = self.files.iter().filter(|f| f.path == file.path).count() > 1;
            checks.that(!twice, "files.path", "each file once", &quoted(&file.path));
            let from = file.hub_path.is_none() || self.hub.is_some();
            checks.that(from, "hub", "a repository, since files have a hub_path", &"nothing");
        }
        for path in self.export.iter().flat_map(ExportRecipe::files) {
            checks.that(is_inside(path), "export", INSIDE, &quoted(path));
        }
        let mut named = vec![("audio.graph", &self.audio.graph)];
        if let Some(text) = &self.text {
            named.extend([("text.graph", &text.graph), ("text.tokenizer", &text.tokenizer)]);
        }
        named.extend(self.tagger.iter().map(|t| ("tagger.classes", &t.classes)));
        named.extend(self.axes.iter().map(|a| ("axes.names", &a.names)));
        named.extend(self.self_test.iter().map(|t| ("self_test.goldens", &t.goldens)));
        for (field, path) in named {
            checks.that(self.file(path).is_some(), field, "a file listed under [[files]]", &quoted(path));
        }
    }
}

/// What [`is_inside`] wants, in words.
const INSIDE: &str = "a path inside the model's folder, of a file other than the manifest";

/// Whether a path of a manifest stays in the model's folder, on any system, and is written in the one way that it can be:
/// two spellings of one path would be two files.
fn is_inside(path: &str) -> bool {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
    path.split('/').all(plain)
}

fn ends_in_l2(checks: &mut Checks, field: &str, ops: &[Op]) {
    checks.that(ops.last() == Some(&Op::L2), field, "`l2` last", &format!("{ops:?}"));
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

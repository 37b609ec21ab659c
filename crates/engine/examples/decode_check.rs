//! Measures how sound files are read, against references that another decoder made of them.
//! `cargo xtask decode-check` runs it: `decode_check LIST [FFMPEG]`.
//!
//! Each line of LIST is the name of a file, a tab, and the name of its reference (empty if none). Each
//! gives a line of output, fields with tabs between them: container, codec, decoder, seconds, seconds of the
//! reference, onset, onset of the reference, difference in dB, cosine of the model's vectors, remarks, error.
//! What is not known is empty.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use earmark_audio::{AudioError, AudioInfo, AudioReader, Ffmpeg, ReadOptions};
use earmark_encoder::{Catalogue, Runtime};
use earmark_engine::{Engine, EngineOptions};

/// The sound starts where it first exceeds this share of its peak.
const ONSET: f32 = 0.1;

/// What was read of a file.
struct Heard {
    info: AudioInfo,
    samples: Vec<f32>,
    remarks: Vec<String>,
}

impl Heard {
    fn read(path: &Path, options: &ReadOptions) -> Result<Self, AudioError> {
        let mut reader = AudioReader::open(path, options)?;
        let (mut samples, mut block) = (Vec::new(), Vec::new());
        while reader.read_block(&mut block)? {
            samples.extend_from_slice(&block);
        }
        Ok(Self { info: reader.info().clone(), samples, remarks: reader.remarks().sentences() })
    }

    fn seconds(&self, samples: usize) -> f64 {
        samples as f64 / f64::from(self.info.sample_rate)
    }

    fn onset_s(&self) -> Option<f64> {
        let peak = self.samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let start = self.samples.iter().position(|sample| sample.abs() > peak * ONSET)?;
        Some(self.seconds(start))
    }

    /// The energy of the difference relative to that of `other`, in dB; the shorter one goes on with zeros.
    fn difference_db(&self, other: &Self) -> Option<f64> {
        if self.info.sample_rate != other.info.sample_rate {
            return None;
        }
        let at = |samples: &[f32], n: usize| f64::from(samples.get(n).copied().unwrap_or(0.0));
        let len = self.samples.len().max(other.samples.len());
        let (mut noise, mut signal) = (0.0, 0.0);
        for n in 0..len {
            let (ours, theirs) = (at(&self.samples, n), at(&other.samples, n));
            noise += (ours - theirs) * (ours - theirs);
            signal += theirs * theirs;
        }
        (signal > 0.0).then(|| 10.0 * (noise / signal).max(1e-20).log10())
    }
}

fn line(file: &Path, reference: Option<&Path>, engine: &Engine) -> String {
    let reference = reference.and_then(|path| Some((path, Heard::read(path, &ReadOptions::default()).ok()?)));
    let number = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
    let theirs = reference.as_ref().map(|(_, heard)| heard);
    let theirs_s = number(theirs.map(|heard| heard.seconds(heard.samples.len())));
    let their_onset = number(theirs.and_then(Heard::onset_s));
    let none = String::new;
    let fields = match Heard::read(file, engine.read_options()) {
        Err(error) => {
            let error = error.to_string();
            let error = error.strip_prefix(&format!("{}: ", file.display())).unwrap_or(&error);
            [
                none(),
                none(),
                none(),
                none(),
                theirs_s,
                none(),
                their_onset,
                none(),
                none(),
                none(),
                error.to_owned(),
            ]
        }
        Ok(heard) => {
            let vectors = reference.as_ref().map(|(reference, _)| {
                let (ours, theirs) = (engine.embed_file(file, None)?, engine.embed_file(reference, None)?);
                Ok::<_, earmark_engine::EngineError>(f64::from(ours.0.cosine(&theirs.0)))
            });
            let (cosine, error) = match vectors.transpose() {
                Ok(cosine) => (number(cosine), none()),
                Err(error) => (none(), error.to_string()),
            };
            let difference = theirs.and_then(|theirs| heard.difference_db(theirs));
            let (ours_s, our_onset) = (heard.seconds(heard.samples.len()), heard.onset_s());
            let AudioInfo { format, codec, decoder, .. } = heard.info;
            let decoder = decoder.unwrap_or_else(|| "built in".to_owned());
            let remarks = heard.remarks.join("; ");
            let (ours_s, our_onset, difference) =
                (number(Some(ours_s)), number(our_onset), number(difference));
            [
                format,
                codec,
                decoder,
                ours_s,
                theirs_s,
                our_onset,
                their_onset,
                difference,
                cosine,
                remarks,
                error,
            ]
        }
    };
    fields.map(|field| field.replace(['\t', '\n', '\r'], " ")).join("\t")
}

fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (list, ffmpeg) = match &args[..] {
        [list] => (list, None),
        [list, ffmpeg] => (list, Some(Ffmpeg::at(Path::new(ffmpeg))?)),
        _ => return Err("expected LIST [FFMPEG]".into()),
    };
    let model = Catalogue::new(None, None).open(Catalogue::default_name())?;
    let read = ReadOptions { ffmpeg, ..ReadOptions::default() };
    let engine = Engine::new(
        model,
        Runtime::load(None)?,
        EngineOptions { threads: 1, read, ..EngineOptions::default() },
    );
    for pair in std::fs::read_to_string(list)?.lines() {
        let (file, reference) = pair.split_once('\t').ok_or("expected a tab in each line of the list")?;
        let reference = Some(Path::new(reference)).filter(|path| !path.as_os_str().is_empty());
        println!("{}", line(Path::new(file), reference, &engine));
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

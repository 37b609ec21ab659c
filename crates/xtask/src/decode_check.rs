//! `cargo xtask decode-check`: how earmark reads files, beside how ffmpeg reads them.
//!
//! ffmpeg decodes each file to a WAV file of floats, which is the reference. An example of `earmark-engine`
//! measures, so that this crate needs no decoder; here are the references, the verdicts and the table.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::setup;
use crate::shell::{self, Repo};

/// Durations and onsets may differ by this much, in seconds.
const TOLERANCE_S: f64 = 0.010;

/// The least cosine of the two vectors.
const MIN_COSINE: f64 = 0.99;

/// How the message starts that names a codec.
const NO_DECODER: &str = "no decoder for ";

/// A difference that counts as good, and why.
struct Exception {
    applies: fn(&Row) -> bool,
    why: &'static str,
}

/// Where earmark is right and ffmpeg is not, where nobody can know, and one limit of ours.
const EXCEPTIONS: &[Exception] = &[
    Exception {
        applies: |row| {
            let extension = row.name.rsplit('.').next().unwrap_or_default();
            !row.error.is_empty() && HEADERLESS.contains(&extension)
        },
        why: "has no header: nobody can know what it holds",
    },
    Exception {
        applies: |row| row.error.contains("frames of sound in the WAV file"),
        why: "ffmpeg writes Vorbis and AAC into WAV in a way that no program reads, itself neither",
    },
    Exception {
        applies: |row| row.format == "mp4" && row.is_alike(0.0) && row.ends_early(MAX_PADDING_S),
        why: "the edit list ends before the encoder's padding, which ffmpeg plays",
    },
    Exception {
        applies: |row| row.format == "mp4" && row.is_alike(MAX_DELAY_S) && row.is_shifted(),
        why: "the edit list of a fragmented file leaves out the encoder's delay, which ffmpeg plays",
    },
    Exception {
        applies: |row| row.format == "mkv" && row.codec == "vorbis" && row.is_alike(MAX_DELAY_S),
        why: "Vorbis's first packet gives no sound, but ffmpeg takes its time stamp for that of the second",
    },
    Exception {
        applies: |row| row.format == "mkv" && row.is_alike(0.0) && row.ends_late(MAX_PADDING_S),
        why: "the encoder's padding is heard: Matroska's DiscardPadding is not read",
    },
];

/// Extensions of files without a header.
const HEADERLESS: &[&str] = &["302", "aptx", "aptxhd", "dfpwm", "g722", "gsm", "rso", "sbc"];

/// The longest padding at the end of a stream that an exception allows, in seconds: a packet.
const MAX_PADDING_S: f64 = 0.1;

/// The longest delay at the start of a stream that an exception allows, in seconds.
const MAX_DELAY_S: f64 = 0.04;

/// The least cosine of sounds that are apart by such a delay.
const MIN_DELAYED_COSINE: f64 = 0.98;

/// Compares all files in a folder.
pub(crate) fn decode_check(repo: &Repo, args: &[String]) -> Result<()> {
    let (mut folder, mut with_ffmpeg, mut all) = (None, true, false);
    for arg in args {
        match arg.as_str() {
            "--no-ffmpeg" => with_ffmpeg = false,
            "--all" => all = true,
            option if option.starts_with('-') => bail!("there is no option {option:?}"),
            name if folder.is_none() => folder = Some(PathBuf::from(name)),
            extra => bail!("unexpected argument {extra:?}"),
        }
    }
    let folder = folder.context("expected a folder of sound files")?;
    let folder = fs::canonicalize(&folder).with_context(|| format!("no folder {}", folder.display()))?;
    let ffmpeg = find_ffmpeg().context("ffmpeg is not installed, and it is what earmark is compared with")?;
    let runtime = setup::ensure(repo)?;
    let mut files = Vec::new();
    collect(&folder, &mut files)?;
    files.sort();
    ensure!(!files.is_empty(), "{} has no files", folder.display());

    let work = repo.target.join("decode-check");
    let mut list = String::new();
    for file in &files {
        let name = file.strip_prefix(&folder)?;
        let reference = reference(repo, &ffmpeg, file, &work.join(name))?;
        let reference = reference.map(|path| path.display().to_string()).unwrap_or_default();
        list += &format!("{}\t{reference}\n", file.display());
    }
    let list_path = work.join("list.tsv");
    fs::write(&list_path, list).with_context(|| format!("cannot write {}", list_path.display()))?;

    let mut cargo = repo.cargo();
    runtime.given_to(&mut cargo);
    cargo.args(["run", "--quiet", "-p", "earmark-engine", "--example", "decode_check", "--"]).arg(&list_path);
    if with_ffmpeg {
        cargo.arg(&ffmpeg);
    }
    let output = shell::output(&mut cargo)?;
    let mut rows = Vec::new();
    for (file, line) in files.iter().zip(output.lines()) {
        rows.push(Row::parse(file.strip_prefix(&folder)?, line)?);
    }
    ensure!(rows.len() == files.len(), "{} files were measured, of {}", rows.len(), files.len());
    report(&rows, with_ffmpeg, all)
}

fn find_ffmpeg() -> Option<PathBuf> {
    let name = format!("ffmpeg{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(&name)).find(|program| program.is_file())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// What ffmpeg decodes of a file, as a WAV file; `None` if it refuses. Made once for each state of the file.
fn reference(repo: &Repo, ffmpeg: &Path, file: &Path, target: &Path) -> Result<Option<PathBuf>> {
    let mut name = target.as_os_str().to_owned();
    name.push(".wav");
    let wav = PathBuf::from(name);
    let changed = fs::metadata(file)?.modified()?;
    if !fs::metadata(&wav).and_then(|meta| meta.modified()).is_ok_and(|made| made >= changed) {
        let parent = wav.parent().context("the reference has no folder")?;
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let mut command = repo.command(ffmpeg);
        command.args(["-v", "error", "-nostdin", "-y", "-i"]).arg(file);
        command.args(["-vn", "-af", "aresample=async=1:first_pts=0", "-c:a", "pcm_f32le", "-f", "wav"]);
        if !shell::works(command.arg(&wav)) {
            // An empty file says that it was tried.
            fs::write(&wav, "")?;
        }
    }
    // ffmpeg leaves a header without samples, too.
    Ok((fs::metadata(&wav)?.len() > 200).then_some(wav))
}

/// A file, as it was measured.
#[derive(Debug, Default)]
struct Row {
    name: String,
    format: String,
    codec: String,
    decoder: String,
    duration_s: Pair,
    onset_s: Pair,
    difference_db: Option<f64>,
    cosine: Option<f64>,
    remarks: String,
    error: String,
}

/// A measure here, and of the reference.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    ours: Option<f64>,
    theirs: Option<f64>,
}

impl Pair {
    /// How much greater ours is.
    fn late(self) -> Option<f64> {
        Some(self.ours? - self.theirs?)
    }

    fn apart(self) -> Option<f64> {
        self.late().map(f64::abs)
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        f.pad(&format!("{}/{}", shown(self.ours), shown(self.theirs)))
    }
}

/// What a row comes to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// As ffmpeg reads it.
    Same,
    /// Not so, for a reason that is known.
    Excepted(&'static str),
    /// ffmpeg refuses it; here it is read.
    OnlyHere,
    /// Refused, with the codec and the remedy.
    Refused,
    /// ffmpeg refuses it, too.
    RefusedByBoth,
    /// Not heard as it is, and the user is not told.
    Wrong(String),
}

impl Verdict {
    /// What the table says.
    fn name(&self) -> &'static str {
        match self {
            Self::Same => "ok",
            Self::Excepted(_) => "ok (excepted)",
            Self::OnlyHere => "ok (no reference)",
            Self::Refused => "refused",
            Self::RefusedByBoth => "refused by both",
            Self::Wrong(_) => "WRONG",
        }
    }
}

impl Row {
    fn parse(name: &Path, line: &str) -> Result<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [
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
        ] = fields[..]
        else {
            bail!("{}: expected 11 fields, got {line:?}", name.display());
        };
        let number = |field: &str| field.parse().ok();
        Ok(Self {
            name: name.display().to_string(),
            format: format.to_owned(),
            codec: codec.to_owned(),
            decoder: decoder.to_owned(),
            duration_s: Pair { ours: number(ours_s), theirs: number(theirs_s) },
            onset_s: Pair { ours: number(our_onset), theirs: number(their_onset) },
            difference_db: number(difference),
            cosine: number(cosine),
            remarks: remarks.to_owned(),
            error: error.to_owned(),
        })
    }

    fn verdict(&self, with_ffmpeg: bool) -> Verdict {
        let verdict = self.strict_verdict(with_ffmpeg);
        let excepted = EXCEPTIONS.iter().find(|exception| (exception.applies)(self));
        match (verdict, excepted) {
            (Verdict::Wrong(_), Some(exception)) => Verdict::Excepted(exception.why),
            (verdict, _) => verdict,
        }
    }

    /// The same sound, which starts at most `early_s` earlier here.
    fn is_alike(&self, early_s: f64) -> bool {
        let least = if early_s > 0.0 { MIN_DELAYED_COSINE } else { MIN_COSINE };
        let late = self.onset_s.late();
        late.is_some_and(|late| late <= TOLERANCE_S && late >= -early_s - TOLERANCE_S)
            && self.cosine.is_some_and(|cosine| cosine >= least)
    }

    fn ends_early(&self, most_s: f64) -> bool {
        self.duration_s.late().is_some_and(|late| late < 0.0 && late >= -most_s)
    }

    /// Start and end are as much too early.
    fn is_shifted(&self) -> bool {
        let apart = self.onset_s.late().zip(self.duration_s.late());
        apart.is_some_and(|(start, end)| (start - end).abs() <= TOLERANCE_S)
    }

    fn ends_late(&self, most_s: f64) -> bool {
        self.duration_s.late().is_some_and(|late| late > 0.0 && late <= most_s)
    }

    fn strict_verdict(&self, with_ffmpeg: bool) -> Verdict {
        let has_reference = self.duration_s.theirs.is_some();
        if !self.error.is_empty() {
            let tells = self.error.starts_with(NO_DECODER) && self.error.contains("ffmpeg");
            return match (tells, has_reference) {
                (_, false) => Verdict::RefusedByBoth,
                (true, true) if !with_ffmpeg => Verdict::Refused,
                _ => Verdict::Wrong(self.error.clone()),
            };
        }
        if !has_reference {
            return Verdict::OnlyHere;
        }
        let mut faults = Vec::new();
        if self.duration_s.apart().is_none_or(|apart| apart > TOLERANCE_S) {
            faults.push("duration");
        }
        if self.onset_s.apart().is_none_or(|apart| apart > TOLERANCE_S) {
            faults.push("onset");
        }
        if self.cosine.is_none_or(|cosine| cosine < MIN_COSINE) {
            faults.push("vector");
        }
        if faults.is_empty() { Verdict::Same } else { Verdict::Wrong(faults.join(", ")) }
    }
}

fn report(rows: &[Row], with_ffmpeg: bool, all: bool) -> Result<()> {
    let mut counts: Vec<([&str; 4], usize)> = Vec::new();
    let mut wrong = 0;
    println!(
        "{:44} {:15} {:15} {:>15} {:>7} {:>6}  verdict",
        "file", "decoder", "duration", "onset", "dB", "cosine"
    );
    for row in rows {
        let verdict = row.verdict(with_ffmpeg);
        wrong += usize::from(matches!(verdict, Verdict::Wrong(_)));
        let folder = row.name.split(['/', '\\']).next().unwrap_or_default();
        let decoder = if row.decoder.starts_with("ffmpeg") { "ffmpeg" } else { row.decoder.as_str() };
        let codec = if row.codec.is_empty() { "-" } else { row.codec.as_str() };
        let key = [folder, codec, decoder, verdict.name()];
        match counts.iter_mut().find(|(known, _)| *known == key) {
            Some((_, count)) => *count += 1,
            None => counts.push((key, 1)),
        }
        let is_plain = verdict == Verdict::Same && row.remarks.is_empty();
        if all || !is_plain {
            let number =
                |value: Option<f64>, digits| value.map_or_else(String::new, |v| format!("{v:.digits$}"));
            let (db, cosine) = (number(row.difference_db, 1), number(row.cosine, 3));
            let (name, format) = (&row.name, &row.format);
            let mut notes = verdict.name().to_owned();
            match &verdict {
                Verdict::Wrong(why) => notes += &format!(": {why}"),
                Verdict::Excepted(why) => notes += &format!(": {why}"),
                Verdict::Refused | Verdict::RefusedByBoth => notes += &format!(": {}", row.error),
                Verdict::Same | Verdict::OnlyHere => {}
            }
            if !row.remarks.is_empty() {
                notes += &format!(" [{}]", row.remarks);
            }
            let codec = format!("{format}/{codec} {decoder}");
            println!(
                "{name:44} {codec:15} {:15} {:>15} {db:>7} {cosine:>6}  {notes}",
                row.duration_s, row.onset_s
            );
        }
    }
    println!("\n{:>5} {:12} {:22} {:10} verdict", "files", "folder", "codec", "decoder");
    for ([folder, codec, decoder, verdict], count) in counts {
        println!("{count:>5} {folder:12} {codec:22} {decoder:10} {verdict}");
    }
    println!("\n{} files, {wrong} wrong", rows.len());
    ensure!(wrong == 0, "{wrong} of {} files are read wrongly", rows.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(line: &str, with_ffmpeg: bool) -> Verdict {
        Row::parse(Path::new("a.wav"), &line.replace(' ', "\t")).unwrap().strict_verdict(with_ffmpeg)
    }

    #[test]
    fn a_file_is_read_well_if_time_and_vector_agree() {
        assert_eq!(verdict("wav pcm built 2.0 2.009 0.1 0.1 -90 0.999  ", true), Verdict::Same);
        let wrong = |what: &str| Verdict::Wrong(what.to_owned());
        assert_eq!(verdict("wav pcm built 2.0 2.011 0.1 0.1 -90 0.999  ", true), wrong("duration"));
        assert_eq!(verdict("wav pcm built 2.0 2.0 0.1 0.2 -90 0.98  ", true), wrong("onset, vector"));
        assert_eq!(verdict("wav pcm built 2.0  0.1     ", true), Verdict::OnlyHere);
    }

    #[test]
    fn a_refusal_is_right_only_where_it_names_codec_and_remedy() {
        let row = |error: &str| {
            let row = Row::parse(Path::new("a.wav"), &format!("\t\t\t\t2.0\t\t0.1\t\t\t\t{error}"));
            row.unwrap()
        };
        let told = row("no decoder for WavPack; ffmpeg would decode it");
        assert_eq!(told.strict_verdict(false), Verdict::Refused);
        assert!(matches!(told.strict_verdict(true), Verdict::Wrong(_)));
        assert!(matches!(row("bytes of no known format").strict_verdict(false), Verdict::Wrong(_)));
    }

    #[test]
    fn an_exception_has_its_bounds() {
        let verdict =
            |line: &str| Row::parse(Path::new("a.x"), &line.replace(' ', "\t")).unwrap().verdict(true).name();
        assert_eq!(verdict("mp4 aac built 4.0 4.017 0.2 0.2 -90 0.999  "), "ok (excepted)");
        assert_eq!(verdict("mp4 aac built 4.0 4.2 0.2 0.2 -90 0.999  "), "WRONG");
        assert_eq!(verdict("mp4 aac built 4.017 4.0 0.2 0.2 -90 0.999  "), "WRONG");
        assert_eq!(verdict("mkv vorbis built 4.0 4.02 0.2 0.22 -90 0.989  "), "ok (excepted)");
        assert_eq!(verdict("mkv vorbis built 4.0 4.02 0.22 0.2 -90 0.989  "), "WRONG");
        assert_eq!(verdict("mkv vorbis built 4.0 4.02 0.2 0.22 -90 0.9  "), "WRONG");
    }
}

//! `earmark search`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use earmark_engine::{absolute_path, typed_path};
use earmark_index::{file_path, stored_path};
use earmark_library::{
    By, Clip, Filter, Hit, HitOrder, Mode, QueryPart, Reason, SearchAnswer, SearchRequest, Share,
    parse_seconds, parse_tag,
};

use crate::args::{Global, WaitArgs};
use crate::ask::{Answerer, ServerArgs};
use crate::format::{FileFormatArgs, Format, Row, emit};
use crate::output::{self, note};
use crate::takeout::TakeoutArgs;
use crate::units::{clock, parse_count, parse_score, parse_weight, sound_path};
use crate::{context, familiarity};

/// Search by words, by example, or both
///
/// Words are looked for in what clips sound like and in their names, tags and metadata. "Quotes" keep words
/// together, and -word leaves out clips that have it in their names. Each clip is listed once, with its best
/// matching stretch: how likely it is right, its score (a cosine: larger is closer), and why it is a hit.
/// Exits with 1 if nothing is found, and with 2 after an error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark search glass breaking --max-duration 5s
  earmark search '\"door slam\" -car' --by name --sort duration
  earmark search --like index-data/sounds/alarms/siren-wail.mp3 --not speech
  earmark search rain --with-tag field --json")]
pub(crate) struct SearchArgs {
    /// What the sound is like, in your own words
    #[arg(value_name = "WORDS")]
    words: Vec<String>,
    /// What counts
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    by: By,
    /// Find sounds like this file, which is left out itself (repeatable)
    #[arg(long, value_name = "FILE", value_parser = sound_path())]
    like: Vec<PathBuf>,
    /// Start of the stretch to use from the examples, such as 12s or 1:30
    #[arg(long, value_name = "TIME", value_parser = parse_seconds, requires = "like")]
    from: Option<f64>,
    /// End of the stretch to use from the examples
    #[arg(long, value_name = "TIME", value_parser = parse_seconds, requires = "like")]
    to: Option<f64>,
    /// Avoid sounds like these words (repeatable). Words close to the query also push down its own hits; a
    /// lower --not-weight is gentler
    #[arg(long, value_name = "WORDS")]
    not: Vec<String>,
    /// Leave out this clip and its copies, by its path or its id (repeatable)
    #[arg(long, value_name = "CLIP")]
    except: Vec<String>,
    /// Weight of the words
    #[arg(long, value_name = "W", default_value_t = 1.0, value_parser = parse_weight)]
    text_weight: f32,
    /// Weight of each example
    #[arg(long, value_name = "W", default_value_t = 1.0, value_parser = parse_weight)]
    like_weight: f32,
    /// Weight of each --not
    #[arg(long, value_name = "W", default_value_t = 0.7, value_parser = parse_weight)]
    not_weight: f32,
    /// Sentence to put the words into, where `{}` stands for them, instead of the model's own (repeatable;
    /// the vectors are averaged)
    #[arg(long = "template", value_name = "TEXT")]
    templates: Vec<String>,
    /// Use the words as they are, without the model's sentence around them (same as --template '{}')
    #[arg(long, conflicts_with = "templates")]
    no_prompt: bool,
    /// Number of clips to list
    #[arg(short = 'k', long = "top", value_name = "N", default_value_t = 10, value_parser = parse_count)]
    k: usize,
    /// Drop matches below this score [default: the model's own limit]
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true, value_parser = parse_score)]
    min_score: Option<f32>,
    /// List copies of a sound too, not only the best of them
    #[arg(long)]
    copies: bool,
    /// List every matching stretch, not only the best one of each clip
    #[arg(long)]
    segments: bool,
    /// List the hits in this order
    #[arg(long, value_enum, default_value_t, value_name = "ORDER")]
    sort: HitOrder,
    /// Prefer hits that differ from each other: 0 takes the best, 1 those that are least alike
    #[arg(long, value_name = "0..1", default_value_t = 0.0)]
    diversity: f32,
    /// Show the sound classes that the query and each hit share
    #[arg(long)]
    explain: bool,
    /// Search method
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    mode: Mode,
    /// Give the clips found this tag (repeatable)
    #[arg(long, value_name = "TAG", value_parser = parse_tag)]
    add_tag: Vec<String>,
    /// Take this tag from the clips found (repeatable)
    #[arg(long, value_name = "TAG", value_parser = parse_tag)]
    remove_tag: Vec<String>,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    takeout: TakeoutArgs,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    format: FileFormatArgs,
    /// Print a playlist (M3U) of the matching stretches, for VLC; other players play the whole files
    #[arg(long, conflicts_with_all = ["format", "paths0"], help_heading = "Output")]
    m3u: bool,
}

/// Nothing was found, as with grep.
const EXIT_NOTHING_FOUND: u8 = 1;

/// Sound classes shown for a hit.
const EXPLAINED: usize = 4;

impl Row for Hit {
    const COLUMNS: &'static [&'static str] = &[
        "rank",
        "score",
        "probability",
        "path",
        "start_s",
        "end_s",
        "clip_id",
        "duration_s",
        "format",
        "tags",
        "reasons",
        "shares",
        "copies",
        "missing",
    ];

    fn records(&self, rank: usize) -> Vec<Vec<String>> {
        let shares = self.shares.iter().flatten().map(|s| format!("{} {:.2}", s.class, s.share));
        vec![vec![
            rank.to_string(),
            format!("{:.4}", self.score),
            self.probability.map_or_else(String::new, |p| format!("{p:.4}")),
            self.clip.path.clone(),
            format!("{:.3}", self.start_s),
            format!("{:.3}", self.end_s),
            self.clip.id.clone(),
            format!("{:.3}", self.clip.duration_s),
            self.clip.format.clone(),
            self.clip.tags.join(";"),
            self.reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join(";"),
            shares.collect::<Vec<_>>().join(";"),
            self.copies.to_string(),
            self.missing.to_string(),
        ]]
    }

    fn path(&self) -> Option<&str> {
        Some(&self.clip.path)
    }
}

pub(crate) fn run(global: &Global, args: SearchArgs) -> Result<ExitCode> {
    let (format, m3u, takeout) = (args.format.format(), args.m3u, args.takeout.clone());
    let answerer = Answerer::new(global, &args.server, context::place(global)?)?;
    let retag = Retag { add: args.add_tag.clone(), remove: args.remove_tag.clone() };
    let wait = args.wait.clone();
    let request = args.request();
    if let Some(tag) = retag.add.iter().find(|tag| retag.remove.contains(tag)) {
        bail!("--add-tag and --remove-tag: `{tag}` cannot be both given and taken");
    }
    let mut answer = answerer.search(&request)?;
    if !retag.is_empty() {
        let changed = retag.apply(&answerer, &mut answer.hits, global, &wait)?;
        if !global.quiet {
            note!("tags changed of {changed} {}", if changed == 1 { "clip" } else { "clips" });
        }
    }
    familiarity::warn(&answer.texts, global);
    for remarks in &answer.remarks {
        output::remarks(&remarks.file, &remarks.remarks);
    }
    let text =
        |out: &mut dyn Write| if m3u { print_m3u(out, &answer.hits) } else { print(out, &answer.hits) };
    emit(format, &answer, &answer.hits, text)?;
    if let (Some(reason), false) = (why_fewer(&answerer, &answer)?, global.quiet) {
        note!("{reason}");
    }
    if answer.hits.is_empty() {
        return Ok(ExitCode::from(EXIT_NOTHING_FOUND));
    }
    takeout.run(global, &answerer, &answer.hits, format == Format::Text && !m3u)
}

/// Tags to give and to take.
struct Retag {
    add: Vec<String>,
    remove: Vec<String>,
}

impl Retag {
    fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// Changes the tags of the clips found, where that changes anything; gives how many that were.
    fn apply(
        &self,
        answerer: &Answerer,
        hits: &mut [Hit],
        global: &Global,
        wait: &WaitArgs,
    ) -> Result<usize> {
        let mut changed: Vec<Clip> = Vec::new();
        for hit in hits {
            let mut tags: Vec<String> =
                hit.clip.tags.iter().filter(|tag| !self.remove.contains(tag)).cloned().collect();
            for tag in &self.add {
                if !tags.contains(tag) {
                    tags.push(tag.clone());
                }
            }
            if tags != hit.clip.tags {
                hit.clip.tags = tags;
                if changed.iter().all(|clip| clip.id != hit.clip.id) {
                    changed.push(hit.clip.clone());
                }
            }
        }
        answerer.set_tags(&changed, global, wait)?;
        Ok(changed.len())
    }
}

impl SearchArgs {
    fn request(self) -> SearchRequest {
        // With or without quotes around several.
        let words = (!self.words.is_empty()).then(|| self.words.join(" "));
        let text = words.map(|text| QueryPart { weight: self.text_weight, ..QueryPart::text(text) });
        let like = self.like.iter().map(|path| QueryPart {
            start_s: self.from,
            end_s: self.to,
            weight: self.like_weight,
            ..QueryPart::file(name(path))
        });
        let not = self.not.iter().map(|text| QueryPart { weight: -self.not_weight, ..QueryPart::text(text) });
        SearchRequest {
            query: text.into_iter().chain(like).chain(not).collect(),
            by: self.by,
            exclude: self.except.iter().map(|clip| clip_name(clip)).collect(),
            sort: self.sort,
            diversity: self.diversity,
            templates: if self.no_prompt { vec!["{}".to_owned()] } else { self.templates },
            filter: context::filter(self.filter),
            k: self.k,
            min_score: self.min_score.map(Some),
            collapse: !self.segments,
            copies: self.copies,
            explain: self.explain,
            mode: self.mode,
            ..SearchRequest::default()
        }
    }
}

/// A clip as requests name it: by its id, or by its path.
fn clip_name(clip: &str) -> String {
    if clip.bytes().all(|b| b.is_ascii_digit()) {
        return clip.to_owned();
    }
    let path = typed_path(Path::new(clip));
    name(&absolute_path(&path).unwrap_or(path))
}

/// A file as requests name it.
fn name(path: &Path) -> String {
    stored_path(path)
}

/// Why there are fewer hits than asked for, if that needs saying.
fn why_fewer(answerer: &Answerer, answer: &SearchAnswer) -> Result<Option<String>> {
    if answer.clips_admitted == 0 {
        return Ok(Some(match answerer.info()?.clips {
            0 => "the index is empty; fill it with `earmark index FOLDER`".to_owned(),
            clips => format!("none of the {clips} clips in the index passes the filters"),
        }));
    }
    let least = answer.min_score.unwrap_or(-1.0);
    Ok(match (answer.hits.is_empty(), answer.below_min_score) {
        (_, 0) => None,
        (true, _) => Some(format!(
            "nothing matches: no clip scores {least:.2} or more; other words may help, and --min-score=-1 shows \
             the nearest anyway"
        )),
        (false, n) => Some(format!(
            "{n} weaker {} below {least:.2} left out; --min-score=-1 shows them",
            if n == 1 { "hit" } else { "hits" }
        )),
    })
}

fn print(out: &mut dyn Write, hits: &[Hit]) -> Result<()> {
    let has_probabilities = hits.iter().any(|hit| hit.probability.is_some());
    let cells = |(i, hit): (usize, &Hit)| {
        let stretch = format!("{} - {}", clock(hit.start_s), clock(hit.end_s));
        let likely = hit.probability.map(|p| format!("{:.0} %", (100.0 * p).clamp(1.0, 99.0)));
        let mut cells = vec![(i + 1).to_string()];
        cells.extend(has_probabilities.then(|| likely.unwrap_or_default()));
        cells.extend([format!("{:.2}", hit.score), stretch, output::short(&hit.clip.path)]);
        cells.extend(why(hit));
        cells
    };
    let cells: Vec<Vec<String>> = hits.iter().enumerate().map(cells).collect();
    let mut lines = Vec::new();
    output::table(&mut lines, &[true; 4][..if has_probabilities { 4 } else { 3 }], &cells)?;
    for (line, hit) in String::from_utf8_lossy(&lines).lines().zip(hits) {
        writeln!(out, "{line}")?;
        if let Some(shares) = &hit.shares {
            let named = |s: &Share| format!("{} {:+.2}", s.class, s.share);
            let named: Vec<String> = shares.iter().take(EXPLAINED).map(named).collect();
            writeln!(out, "      shares: {}", named.join(", "))?;
        }
    }
    Ok(())
}

/// Why a clip is a hit, in brackets, if there is something to say.
fn why(hit: &Hit) -> Option<String> {
    let mut said: Vec<String> = hit.reasons.iter().map(Reason::to_string).collect();
    if hit.weak {
        said.insert(0, "weak".to_owned());
    }
    if hit.missing {
        said.insert(0, "file missing".to_owned());
    }
    if hit.copies > 0 {
        said.push(format!("{} more {}", hit.copies, if hit.copies == 1 { "copy" } else { "copies" }));
    }
    (!said.is_empty()).then(|| format!("({})", output::printable(&said.join("; "))))
}

fn print_m3u(out: &mut dyn Write, hits: &[Hit]) -> Result<()> {
    writeln!(out, "#EXTM3U")?;
    for Hit { clip, start_s, end_s, .. } in hits {
        if clip.path.contains(char::is_control) {
            note!("{}: left out, since a playlist cannot hold such a name", output::printable(&clip.path));
            continue;
        }
        let path = file_path(&clip.path);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Players show this length, and 0 as unknown.
        writeln!(out, "#EXTINF:{},{name}", (end_s - start_s).round().max(1.0))?;
        // VLC's options are the only ones for a part of a file that any player reads.
        writeln!(out, "#EXTVLCOPT:start-time={start_s:.1}")?;
        writeln!(out, "#EXTVLCOPT:stop-time={end_s:.1}")?;
        out.write_all(path.as_os_str().as_encoded_bytes())?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

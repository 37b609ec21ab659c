//! `earmark search`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use earmark_engine::search::{Like, Query, QueryPart, Shared, explain, search};
use earmark_engine::{Engine, KnownText};
use earmark_index::{Hit, IndexReader, SearchRequest, file_path};
use serde::Serialize;

use crate::args::{Global, SearchArgs, SearchMode};
use crate::output::note;
use crate::units::clock;
use crate::{context, familiarity, output};

/// Sound classes shown for a hit.
const EXPLAINED: usize = 4;

#[derive(Serialize)]
struct Row<'a> {
    rank: usize,
    score: f32,
    path: &'a str,
    start_s: f64,
    end_s: f64,
    clip_id: u64,
    duration_s: f64,
    format: &'a str,
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<Vec<SharedRow>>,
}

#[derive(Serialize)]
struct SharedRow {
    class: String,
    contribution: f32,
}

#[derive(Serialize)]
struct Document<'a> {
    query: String,
    model: &'a str,
    /// How well the model knows each text of the query.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    texts: &'a [KnownText],
    results: Vec<Row<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// What there is to print.
struct Found<'a> {
    query: &'a Query,
    hits: &'a [Hit],
    /// Why there are fewer hits than asked for.
    note: Option<String>,
}

pub(crate) fn run(global: &Global, args: SearchArgs) -> Result<ExitCode> {
    let (index, model) = context::open_index_and_model(global)?;
    let engine = context::engine(global, model)?;
    let parts = parts(&args);
    let templates = if args.no_prompt { vec!["{}".to_owned()] } else { args.templates.clone() };
    let min_score = args.min_score.unwrap_or(engine.model().manifest().scores.min_similarity);
    let request = SearchRequest {
        k: args.k,
        kind: earmark_index::QueryKind::default(),
        filter: context::filter(&args.filter),
        mode: match args.mode {
            SearchMode::Auto => earmark_index::SearchMode::Auto,
            SearchMode::Exact => earmark_index::SearchMode::Exact,
            SearchMode::Graph => earmark_index::SearchMode::Graph,
        },
        min_score: Some(min_score),
        collapse: !args.segments,
        ef: None,
    };
    let (query, response) = search(&engine, &index, &parts, &templates, &request)?;
    context::tell_events(index.take_events(), global);
    let hits = &response.hits;
    let note = note(&index, hits, response.clips_admitted, response.below_min_score, min_score)?;
    familiarity::warn(&query.texts, global);
    for (file, remarks) in &query.remarks {
        output::remarks(file, remarks);
    }
    let found = Found { query: &query, hits, note };
    print(&args, &engine, &index, found, global.quiet)?;
    Ok(ExitCode::SUCCESS)
}

/// The words, with or without quotes around several.
fn text(args: &SearchArgs) -> Option<String> {
    (!args.words.is_empty()).then(|| args.words.join(" "))
}

fn parts(args: &SearchArgs) -> Vec<QueryPart> {
    let range = (args.from.is_some() || args.to.is_some())
        .then(|| (args.from.unwrap_or(0.0), args.to.unwrap_or(f64::INFINITY)));
    let text = text(args).into_iter().map(|t| QueryPart { what: Like::Text(t), weight: args.text_weight });
    let like = args
        .like
        .iter()
        .map(|path| QueryPart { what: Like::File { path: path.clone(), range }, weight: args.like_weight });
    let not = args.not.iter().map(|t| QueryPart { what: Like::Text(t.clone()), weight: -args.not_weight });
    text.chain(like).chain(not).collect()
}

/// Why there are fewer hits than asked for, where that needs saying.
fn note(
    index: &dyn IndexReader,
    hits: &[Hit],
    admitted: usize,
    hidden: usize,
    min_score: f32,
) -> Result<Option<String>> {
    if admitted == 0 {
        let stats = index.stats()?;
        return Ok(Some(if stats.clips == 0 {
            "the index is empty; fill it with `earmark index FOLDER`".to_owned()
        } else {
            format!("none of the {} clips in the index passes the filters", stats.clips)
        }));
    }
    Ok(match (hits.is_empty(), hidden) {
        (_, 0) => None,
        (true, _) => Some(format!(
            "nothing matches: no clip scores {min_score:.2} or more; other words may help, and --min-score=-1 shows the \
             nearest anyway"
        )),
        (false, n) => Some(format!(
            "{n} weaker {} below {min_score:.2} left out; --min-score=-1 shows them",
            if n == 1 { "hit" } else { "hits" }
        )),
    })
}

fn print(
    args: &SearchArgs,
    engine: &Engine,
    index: &dyn IndexReader,
    found: Found<'_>,
    quiet: bool,
) -> Result<()> {
    let Found { query, hits, note } = found;
    let shared = |hit: &Hit| -> Result<Option<Vec<Shared>>> {
        if args.explain { Ok(explain(engine, index, &query.vector, hit, EXPLAINED)?) } else { Ok(None) }
    };
    let rows = || -> Result<Vec<Row<'_>>> {
        hits.iter()
            .enumerate()
            .map(|(i, hit)| {
                let classes = shared(hit)?.map(|classes| {
                    classes
                        .into_iter()
                        .map(|s| SharedRow { class: s.axis, contribution: s.contribution })
                        .collect()
                });
                Ok(row(i, hit, classes))
            })
            .collect()
    };
    let format = &args.format;
    if format.row.json {
        return output::json(&Document {
            query: describe(args),
            model: &engine.model().manifest().id,
            texts: &query.texts,
            results: rows()?,
            note,
        });
    }
    if format.row.jsonl {
        output::jsonl(rows()?)?;
    } else if format.row.csv {
        let header = [
            "rank",
            "score",
            "path",
            "start_s",
            "end_s",
            "clip_id",
            "duration_s",
            "format",
            "tags",
            "shared",
        ];
        let record = |row: Row<'_>| {
            let classes = row.shared.unwrap_or_default();
            let classes: Vec<String> =
                classes.iter().map(|s| format!("{} {:.2}", s.class, s.contribution)).collect();
            vec![
                row.rank.to_string(),
                format!("{:.4}", row.score),
                row.path.to_owned(),
                format!("{:.3}", row.start_s),
                format!("{:.3}", row.end_s),
                row.clip_id.to_string(),
                format!("{:.3}", row.duration_s),
                row.format.to_owned(),
                row.tags.join(";"),
                classes.join(";"),
            ]
        };
        output::csv(&header, rows()?.into_iter().map(record))?;
    } else if format.paths.paths0 {
        output::paths0(hits.iter().map(|h| h.clip.meta.path.as_str()))?;
    } else if format.m3u {
        print_m3u(hits)?;
    } else {
        print_table(hits, &shared)?;
    }
    if let Some(note) = note
        && !quiet
    {
        note!("{note}");
    }
    Ok(())
}

fn row(i: usize, hit: &Hit, shared: Option<Vec<SharedRow>>) -> Row<'_> {
    let meta = &hit.clip.meta;
    Row {
        rank: i + 1,
        score: hit.score,
        path: &meta.path,
        start_s: hit.start_s,
        end_s: hit.end_s,
        clip_id: hit.clip.id,
        duration_s: meta.duration_s,
        format: &meta.format,
        tags: &meta.tags,
        shared,
    }
}

fn describe(args: &SearchArgs) -> String {
    let text = text(args).into_iter();
    let like = args.like.iter().map(|p| format!("like {}", p.display()));
    let not = args.not.iter().map(|t| format!("not {t}"));
    text.chain(like).chain(not).collect::<Vec<_>>().join(", ")
}

fn print_table(hits: &[Hit], shared: &dyn Fn(&Hit) -> Result<Option<Vec<Shared>>>) -> Result<()> {
    let cells: Vec<Vec<String>> = hits
        .iter()
        .enumerate()
        .map(|(i, h)| {
            let stretch = format!("{} - {}", clock(h.start_s), clock(h.end_s));
            vec![(i + 1).to_string(), format!("{:.2}", h.score), stretch, output::short(&h.clip.meta.path)]
        })
        .collect();
    let mut lines = Vec::new();
    output::table(&mut lines, &[true, true, true], &cells)?;
    let mut out = output::stdout();
    for (line, hit) in String::from_utf8_lossy(&lines).lines().zip(hits) {
        writeln!(out, "{line}")?;
        if let Some(classes) = shared(hit)? {
            let named: Vec<String> =
                classes.iter().map(|s| format!("{} {:+.2}", s.axis, s.contribution)).collect();
            writeln!(out, "      shares: {}", named.join(", "))?;
        }
    }
    Ok(out.flush()?)
}

fn print_m3u(hits: &[Hit]) -> Result<()> {
    let mut out = output::stdout();
    writeln!(out, "#EXTM3U")?;
    for hit in hits {
        let meta = &hit.clip.meta;
        if meta.path.contains(char::is_control) {
            note!("{}: left out, since a playlist cannot hold such a name", output::printable(&meta.path));
            continue;
        }
        let path = file_path(&meta.path);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        writeln!(out, "#EXTINF:{},{name}", meta.duration_s.round())?;
        // VLC's option is the only widely read way to start inside a file.
        writeln!(out, "#EXTVLCOPT:start-time={:.1}", hit.start_s)?;
        out.write_all(path.as_os_str().as_encoded_bytes())?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

//! A local index beside a database with the same clips: recall@10 against the local exact search, and time.
//!
//!     earmark copy LOCAL postgres://…
//!     cargo bench --bench stores -- LOCAL postgres://…
//!
//! Texts are the queries of `searches/searches.csv`, sounds are stored vectors with noise. The two stores answer each
//! query in turn, so that what else the machine does falls on both.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use earmark_index::{Filter, Hit, IndexReader, QueryKind, SearchMode, SearchRequest, with_noise};
use earmark_library::{Access, Library, LibraryOptions, Location, Place, Reader};

/// Sounds that are asked for.
const SOUNDS: usize = 25;

/// How often each query is asked, after once to warm up.
const ROUNDS: usize = 5;

/// One way to ask.
struct Way<'a> {
    name: &'static str,
    index: &'a Reader,
    mode: SearchMode,
    times: Vec<Duration>,
    right: usize,
}

fn main() -> Result<()> {
    let places: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let [local, database] = places.as_slice() else {
        eprintln!("stores: expected a local index and the address of a database; nothing is measured");
        return Ok(());
    };
    let open = |place: &str| -> Result<(Library, Reader)> {
        let location = Location::parse(place).map_err(anyhow::Error::msg)?;
        let library = Library::open(
            Place::at(location),
            LibraryOptions { access: Access::Live, ..LibraryOptions::default() },
        )?;
        let index = library.index()?;
        Ok((library, index))
    };
    let ((library, here), (_, there)) = (open(local)?, open(database)?);
    let (stats, others) = (here.stats()?, there.stats()?);
    if (stats.clips, stats.segments) != (others.clips, others.segments) {
        bail!("the two hold different numbers of clips or segments");
    }
    println!("{} segments in {} clips", stats.segments, stats.clips);
    println!("query  way                p50 ms  p95 ms  recall@10");
    let engine = library.engine()?;
    let table =
        std::fs::read_to_string("benches/searches/searches.csv").context("benches/searches/searches.csv")?;
    let phrases: BTreeSet<&str> =
        table.lines().skip(1).filter_map(|line| Some(line.split_once(',')?.0)).collect();
    let phrases: Vec<&str> = phrases.into_iter().collect();
    let texts = engine.encode_texts(&phrases)?.into_iter().map(|text| text.query.into_vec()).collect();
    ask(&here, &there, QueryKind::Text, texts)?;
    ask(&here, &there, QueryKind::Sound, sounds(&*here, stats.clips)?)
}

/// Stored vectors with noise, of clips spread evenly.
fn sounds(index: &dyn IndexReader, clips: usize) -> Result<Vec<Vec<f32>>> {
    let step = (clips / SOUNDS).max(1);
    let mut found = Vec::new();
    for (number, clip) in index.clips(&Filter::default())?.into_iter().step_by(step).take(SOUNDS).enumerate()
    {
        let segment = index.segments(clip.id)?.into_iter().next();
        found.extend(segment.map(|segment| with_noise(&segment.vector, number as u64)));
    }
    Ok(found)
}

fn ask(here: &Reader, there: &Reader, kind: QueryKind, queries: Vec<Vec<f32>>) -> Result<()> {
    let way = |name, index, mode| Way { name, index, mode, times: Vec::new(), right: 0 };
    let mut ways = [
        way("local, default", here, SearchMode::Auto),
        way("PostgreSQL, exact", there, SearchMode::Exact),
        way("PostgreSQL, default", there, SearchMode::Auto),
        way("PostgreSQL, graph", there, SearchMode::Graph),
    ];
    let mut wanted = 0;
    for query in &queries {
        let exact = SearchRequest { mode: SearchMode::Exact, kind, ..SearchRequest::default() };
        let truth = paths(&here.search(query, &exact)?.hits);
        wanted += truth.len();
        for round in 0..=ROUNDS {
            for way in &mut ways {
                let request = SearchRequest { mode: way.mode, kind, ..SearchRequest::default() };
                let started = Instant::now();
                let found = way.index.search(query, &request)?;
                if round > 0 {
                    way.times.push(started.elapsed());
                } else {
                    way.right += paths(&found.hits).intersection(&truth).count();
                }
            }
        }
    }
    for way in &mut ways {
        way.times.sort_unstable();
        let at = |share: usize| way.times[(way.times.len() - 1) * share / 100].as_secs_f64() * 1e3;
        let recall = way.right as f64 / wanted.max(1) as f64;
        let kind = if kind == QueryKind::Text { "text" } else { "sound" };
        println!("{kind:<6} {:<20} {:6.1} {:7.1} {recall:10.3}", way.name, at(50), at(95));
    }
    Ok(())
}

/// Ids differ between stores, and so may the order of equal scores.
fn paths(hits: &[Hit]) -> BTreeSet<(String, u32)> {
    hits.iter().map(|hit| (hit.clip.meta.path.clone(), hit.segment)).collect()
}

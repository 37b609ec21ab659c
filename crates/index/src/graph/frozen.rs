//! A finished graph in a file, read where it lies. `FORMAT.md` has the bytes.
//!
//! The links of the lowest layer lie at the place of their row, 128 bytes each, so that one look-up finds
//! them; the rows' codes are those of the segment. Upper layers are small: sorted rows, and their links.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use xxhash_rust::xxh3::xxh3_64;

use super::figures::Figures;
use super::{BASE_LINKS, LINKS};
use crate::error::{Error, Result, damaged};
use crate::files::write_atomically;
use crate::published::layout::{ALIGNMENT, u32_at, u64_at};
use crate::published::list::Listed;
use crate::published::map::Map;

const MAGIC: &[u8; 8] = b"EARMGRF1";

/// Version of the graph files. A graph of another version is ignored.
const VERSION: u32 = 1;

/// Bytes of the header.
const HEADER_BYTES: usize = SUMS_AT + 8 * SMALL_PARTS.len() + 8;

/// Rows whose links share a checksum.
const BLOCK: usize = 256;

/// Bytes of a row's links in the lowest layer.
const BASE_BYTES: usize = BASE_LINKS * 4;

/// Links that should lead to each row.
const LEAST_LEADING: u32 = LINKS as u32 / 2;

/// How much alike a row and the one that covers it must be, as a share of the row's cosine with its nearest
/// neighbour.
const LEAST_ALIKE: f32 = 0.9;

/// Where there is no link.
const NONE: u32 = u32::MAX;

/// The parts of the file: upper layers, the rows that cover all, measurements, checksums of the lowest
/// layer's blocks, and the lowest layer.
const PARTS: usize = 5;
const UPPER: usize = 0;
const COVER: usize = 1;
const FIGURES: usize = 2;
const SUMS: usize = 3;
const BASE: usize = 4;

/// The parts that are checked when a graph is opened.
const SMALL_PARTS: [usize; 4] = [UPPER, COVER, FIGURES, SUMS];

/// Where their lengths begin in the header, and where the checksums do.
const LENGTHS_AT: usize = 56;
const SUMS_AT: usize = LENGTHS_AT + 8 * PARTS;

/// Which row is linked to which.
pub(super) struct Links {
    /// `[rows, BASE_LINKS]`; [`NONE`] where there is none.
    base: Vec<u32>,
    /// Of each upper layer, the rows that are in it, sorted, with their links.
    upper: Vec<Vec<(u32, Vec<u32>)>>,
    /// Rows from which two steps lead everywhere.
    cover: Vec<u32>,
}

impl Links {
    pub(super) fn new(
        base: Vec<u32>,
        mut upper: Vec<Vec<(u32, Vec<u32>)>>,
        cosine: &dyn Fn(u32, u32) -> f32,
    ) -> Self {
        upper.iter_mut().for_each(|layer| layer.sort_unstable_by_key(|(row, _)| *row));
        let mut links = Self { base, upper, cover: Vec::new() };
        let mut leading = vec![0u32; links.base.len() / BASE_LINKS];
        links.base.iter().filter(|row| **row != NONE).for_each(|row| leading[*row as usize] += 1);
        links.lead_to_all(&mut leading);
        let entry = links.upper.last().and_then(|layer| layer.first()).map(|(row, _)| *row);
        if let Some(entry) = entry {
            links.lead_out_of(entry, &mut leading);
        }
        links.cover_all(&leading, cosine);
        links
    }

    /// Chooses the rows that a search for a text starts from: two steps from them lead everywhere, to rows
    /// that are nearly as much like them as their nearest neighbours are (else a row that is like few others
    /// is reached only by way of rows that the text has nothing to do with: 0.5 % were missed). Those that
    /// most links lead to come first: they lie in the middle of what sounds alike.
    ///
    /// A sample, as the first upper layer is one, will not do: sounds that are much alike link mostly to each
    /// other, and where none of them is in the sample, no good way leads there. In 200,000 noisy copies of
    /// 8,230 sounds, a search that started from the best of that layer missed 2.6 % of what texts asked for,
    /// whatever `ef`.
    fn cover_all(&mut self, leading: &[u32], cosine: &dyn Fn(u32, u32) -> f32) {
        let most = |row: u32| self.links_of(row).map(|to| cosine(row, to)).fold(0.0, f32::max);
        let nearest: Vec<f32> = (0..leading.len() as u32).map(most).collect();
        let mut order: Vec<u32> = (0..leading.len() as u32).collect();
        order.sort_by_key(|row| std::cmp::Reverse(leading[*row as usize]));
        let mut is_covered = vec![false; leading.len()];
        for row in order {
            // A row without links is not in the graph: it was dead.
            if is_covered[row as usize] || self.links_of(row).next().is_none() {
                continue;
            }
            is_covered[row as usize] = true;
            for near in self.links_of(row) {
                for to in std::iter::once(near).chain(self.links_of(near)) {
                    is_covered[to as usize] =
                        is_covered[to as usize] || cosine(row, to) >= LEAST_ALIKE * nearest[to as usize];
                }
            }
            self.cover.push(row);
        }
        self.cover.sort_unstable();
    }

    fn links_of(&self, row: u32) -> impl Iterator<Item = u32> {
        let links = &self.base[row as usize * BASE_LINKS..][..BASE_LINKS];
        links.iter().copied().take_while(|row| *row != NONE)
    }

    /// Makes sure that a way leads from `entry` to every row that has a way back: where sounds are much
    /// alike, they link to each other only, and their nearest neighbour outside must link to one of them.
    fn lead_out_of(&mut self, entry: u32, leading: &mut [u32]) {
        let mut is_reached = vec![false; leading.len()];
        self.reach(entry, &mut is_reached);
        for row in 0..leading.len() as u32 {
            if is_reached[row as usize] {
                continue;
            }
            let near = self.links_of(row).find(|near| is_reached[*near as usize]);
            if let Some(near) = near {
                self.link_back(near, row, leading, |places, leading| {
                    let free = places.iter().position(|at| *at == NONE);
                    free.or_else(|| (0..places.len()).max_by_key(|at| leading[places[*at] as usize]))
                });
                self.reach(row, &mut is_reached);
            }
        }
    }

    fn reach(&self, from: u32, is_reached: &mut [bool]) {
        let mut next = vec![from];
        while let Some(row) = next.pop() {
            if !std::mem::replace(&mut is_reached[row as usize], true) {
                next.extend(self.links_of(row).filter(|row| !is_reached[*row as usize]));
            }
        }
    }

    /// Makes sure that many links lead to every row.
    ///
    /// hnsw_rs drops a point's farthest link when a nearer point comes, whatever else leads to what is
    /// dropped. So free places are filled with links back, and where fewer than [`LEAST_LEADING`] links lead
    /// to a row, its neighbours link back to it instead of to rows that many others lead to. In 200,000 noisy
    /// copies of 8,230 sounds this raised the recall for sounds from 0.996 to 0.999 at `ef` 256.
    fn lead_to_all(&mut self, leading: &mut [u32]) {
        let rows = leading.len();
        for row in 0..rows {
            for link in 0..BASE_LINKS {
                let to = self.base[row * BASE_LINKS + link];
                if to != NONE {
                    self.link_back(to, row as u32, leading, |places, _| {
                        places.iter().position(|at| *at == NONE)
                    });
                }
            }
        }
        for row in 0..rows {
            for link in 0..BASE_LINKS {
                let to = self.base[row * BASE_LINKS + link];
                if to == NONE || leading[row] >= LEAST_LEADING {
                    break;
                }
                self.link_back(to, row as u32, leading, |places, leading| {
                    places.iter().rposition(|at| *at != NONE && leading[*at as usize] > 2 * LEAST_LEADING)
                });
            }
        }
    }

    /// Links `from` to `to`, at the place among its links that `place` chooses, if any.
    fn link_back(
        &mut self,
        from: u32,
        to: u32,
        leading: &mut [u32],
        place: impl FnOnce(&[u32], &[u32]) -> Option<usize>,
    ) {
        let links = &mut self.base[from as usize * BASE_LINKS..][..BASE_LINKS];
        if links.contains(&to) {
            return;
        }
        if let Some(at) = place(links, leading) {
            if links[at] != NONE {
                leading[links[at] as usize] -= 1;
            }
            links[at] = to;
            leading[to as usize] += 1;
        }
    }

    fn encode_upper(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for layer in &self.upper {
            out.extend_from_slice(&(layer.len() as u32).to_le_bytes());
            layer.iter().for_each(|(row, _)| out.extend_from_slice(&row.to_le_bytes()));
            for (_, links) in layer {
                let links = links.iter().copied().chain(std::iter::repeat(NONE)).take(LINKS);
                links.for_each(|row| out.extend_from_slice(&row.to_le_bytes()));
            }
        }
        out
    }
}

/// Where the graph of the segment called `name` is.
pub(crate) fn path(folder: &Path, name: u64) -> PathBuf {
    folder.join(file_name(name))
}

/// What the graph of the segment called `name` is called.
pub(crate) fn file_name(name: u64) -> String {
    format!("{name:016x}.graph")
}

/// A graph over the rows of a segment.
pub(crate) struct FrozenGraph {
    path: PathBuf,
    map: Map,
    parts: [(usize, usize); PARTS],
    points: usize,
    /// Of each upper layer, where it begins in the file and how many rows it has.
    upper: Vec<(usize, usize)>,
    /// A bit for each block of links that was checked.
    sound: Box<[AtomicU64]>,
    figures: Figures,
    /// Tells the file from one that took its place.
    mark: Option<(SystemTime, u64)>,
}

fn mark_of(path: &Path) -> Option<(SystemTime, u64)> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

impl FrozenGraph {
    /// Writes the graph of a segment at `to`, by way of `work`, a folder on the same disk. A crash leaves it
    /// whole or not there.
    pub(super) fn write(
        links: &Links,
        points: usize,
        listed: &Listed,
        figures: &Figures,
        work: &Path,
        to: &Path,
    ) -> io::Result<()> {
        let base: Vec<u8> = links.base.iter().flat_map(|row| row.to_le_bytes()).collect();
        let sums: Vec<u8> =
            base.chunks(BLOCK * BASE_BYTES).flat_map(|block| xxh3_64(block).to_le_bytes()).collect();
        let cover = links.cover.iter().flat_map(|row| row.to_le_bytes()).collect();
        let parts = [links.encode_upper(), cover, figures.encode(), sums, base];
        let mut header = MAGIC.to_vec();
        for number in [VERSION, BASE_LINKS as u32, LINKS as u32, links.upper.len() as u32] {
            header.extend_from_slice(&number.to_le_bytes());
        }
        for number in [listed.name, listed.check, listed.rows, points as u64] {
            header.extend_from_slice(&number.to_le_bytes());
        }
        let mut at = HEADER_BYTES as u64;
        let mut starts = Vec::new();
        for part in &parts {
            at = at.next_multiple_of(ALIGNMENT);
            starts.push(at);
            header.extend_from_slice(&(part.len() as u64).to_le_bytes());
            at += part.len() as u64;
        }
        for part in SMALL_PARTS {
            header.extend_from_slice(&xxh3_64(&parts[part]).to_le_bytes());
        }
        header.extend_from_slice(&xxh3_64(&header).to_le_bytes());
        let draft = work.join(file_name(listed.name));
        write_atomically(&draft, |out| {
            out.write_all(&header)?;
            let mut at = HEADER_BYTES as u64;
            for (part, start) in parts.iter().zip(&starts) {
                out.write_all(&vec![0; (start - at) as usize])?;
                out.write_all(part)?;
                at = start + part.len() as u64;
            }
            Ok(())
        })?;
        fs::rename(&draft, to)?;
        crate::files::sync_dir(to.parent().unwrap_or(work))
    }

    /// Opens the graph at `path`, of the segment that a list names; None if there is none.
    ///
    /// # Errors
    /// [`Error::Published`] if it is damaged, another segment's or of another version, [`Error::Io`].
    pub(crate) fn open(path: &Path, listed: &Listed, dim: usize) -> Result<Option<Self>> {
        let path = path.to_path_buf();
        let mark = mark_of(&path);
        let map = match Map::open(&path) {
            Ok(map) => map,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { path, source }),
        };
        let Some(header) = map.first_chunk::<HEADER_BYTES>() else {
            return Err(damaged(&path, "it is too short"));
        };
        if !header.starts_with(MAGIC)
            || xxh3_64(&header[..HEADER_BYTES - 8]) != u64_at(header, HEADER_BYTES - 8)
        {
            return Err(damaged(&path, "its header is not as it was written"));
        }
        let numbers = [8, 12, 16].map(|at| u32_at(header, at));
        if numbers != [VERSION, BASE_LINKS as u32, LINKS as u32] {
            return Err(damaged(&path, "it is of another version"));
        }
        if [24, 32, 40].map(|at| u64_at(header, at)) != [listed.name, listed.check, listed.rows] {
            return Err(damaged(&path, "it is another segment's"));
        }
        let mut parts = [(0, 0); PARTS];
        let mut at = HEADER_BYTES;
        for (number, part) in parts.iter_mut().enumerate() {
            let from = at.next_multiple_of(ALIGNMENT as usize);
            let length = usize::try_from(u64_at(header, LENGTHS_AT + 8 * number)).unwrap_or(usize::MAX);
            match from.checked_add(length) {
                Some(to) if to <= map.len() => (*part, at) = ((from, to), to),
                _ => return Err(damaged(&path, "it is cut short")),
            }
        }
        let rows = listed.rows as usize;
        let length = |part: usize| parts[part].1 - parts[part].0;
        if length(BASE) != rows * BASE_BYTES || length(SUMS) != rows.div_ceil(BLOCK) * 8 {
            return Err(damaged(&path, "its parts do not have the lengths that its header says"));
        }
        let part = |part: usize| &map[parts[part].0..parts[part].1];
        for (number, checked) in SMALL_PARTS.into_iter().enumerate() {
            if xxh3_64(part(checked)) != u64_at(header, SUMS_AT + 8 * number) {
                return Err(damaged(&path, "a checksum is wrong"));
            }
        }
        let upper = layers(part(UPPER), parts[UPPER].0, u32_at(header, 20) as usize)
            .ok_or_else(|| damaged(&path, "its upper layers are cut short"))?;
        let figures = Figures::decode(part(FIGURES), dim)
            .ok_or_else(|| damaged(&path, "its measurements are cut short"))?;
        let sound = (0..rows.div_ceil(BLOCK).div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let points = u64_at(header, 48) as usize;
        Ok(Some(Self { path, parts, points, upper, sound, figures, mark, map }))
    }

    /// Whether this is the graph that is at `path` now.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        self.path == path && self.mark.is_some() && self.mark == mark_of(path)
    }

    /// Rows that are in it.
    pub(crate) fn points(&self) -> usize {
        self.points
    }

    /// What was measured when it was built.
    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The rows that a row is linked to in the lowest layer. They are checked, but may be any number.
    pub(super) fn links(&self, row: u32) -> Result<impl Iterator<Item = u32>> {
        let block = row as usize / BLOCK;
        let base = &self.map[self.parts[BASE].0..self.parts[BASE].1];
        let (word, bit) = (&self.sound[block / 64], 1 << (block % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            let from = block * BLOCK * BASE_BYTES;
            let sum = xxh3_64(&base[from..(from + BLOCK * BASE_BYTES).min(base.len())]);
            if sum != u64_at(&self.map, self.parts[SUMS].0 + 8 * block) {
                return Err(damaged(
                    &self.path,
                    format!("block {block} of its links is not as it was written"),
                ));
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        let own = &base[row as usize * BASE_BYTES..][..BASE_BYTES];
        Ok(numbers(own).iter().map(|row| u32::from_le_bytes(*row)).take_while(|row| *row != NONE))
    }

    /// Checks all links.
    pub(crate) fn check(&self) -> Result<()> {
        let rows = (self.parts[BASE].1 - self.parts[BASE].0) / BASE_BYTES;
        (0..rows).step_by(BLOCK).try_for_each(|row| self.links(row as u32).map(drop))
    }

    /// Upper layers.
    pub(super) fn layers(&self) -> usize {
        self.upper.len()
    }

    /// The rows in an upper layer, counted from 1: little-endian, sorted.
    pub(super) fn rows_in(&self, layer: usize) -> &[[u8; 4]] {
        let (from, rows) = self.upper.get(layer.wrapping_sub(1)).copied().unwrap_or_default();
        numbers(&self.map[from..from + 4 * rows])
    }

    /// The rows that a row is linked to in an upper layer, counted from 1.
    pub(super) fn upper_links(&self, layer: usize, row: u32) -> impl Iterator<Item = u32> {
        let rows = self.rows_in(layer);
        let found = rows.binary_search_by_key(&row, |row| u32::from_le_bytes(*row)).ok();
        let from = self.upper.get(layer.wrapping_sub(1)).map_or(0, |(from, _)| from + 4 * rows.len());
        let own = found.map_or(&[][..], |at| &self.map[from + 4 * LINKS * at..][..4 * LINKS]);
        numbers(own).iter().map(|row| u32::from_le_bytes(*row)).take_while(|row| *row != NONE)
    }

    /// Rows, little-endian, from which two steps lead to every row of the graph.
    pub(super) fn cover(&self) -> &[[u8; 4]] {
        numbers(&self.map[self.parts[COVER].0..self.parts[COVER].1])
    }

    /// The row to start from.
    pub(super) fn entry(&self) -> Option<u32> {
        let top = self.rows_in(self.layers()).first().map(|row| u32::from_le_bytes(*row));
        top.or_else(|| (self.points > 0).then_some(0))
    }
}

fn numbers(bytes: &[u8]) -> &[[u8; 4]] {
    bytes.as_chunks::<4>().0
}

/// Where each upper layer's rows begin, counted from `start`, and how many there are.
fn layers(mut bytes: &[u8], start: usize, count: usize) -> Option<Vec<(usize, usize)>> {
    let length = bytes.len();
    let mut found = Vec::new();
    for _ in 0..count {
        let (rows, rest) = bytes.split_at_checked(4)?;
        let rows = u32_at(rows, 0) as usize;
        found.push((start + length - rest.len(), rows));
        bytes = rest.get(rows * 4 * (1 + LINKS)..)?;
    }
    bytes.is_empty().then_some(found)
}

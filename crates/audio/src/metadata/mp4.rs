//! Texts of MP4 and QuickTime files: the item list that iTunes defined, and QuickTime's user data and keys.

use std::io::{Read, Seek};

use super::chunks::part;
use super::texts::{MAX_RAW, Texts, loose, utf16};
use super::{id3, names};
use crate::container::bytes::Bytes;

/// Longest key that is looked at.
const MAX_KEY: usize = 128;

/// An atom; `start` is that of its content. Lies within the file and the atom around it.
#[derive(Clone, Copy)]
struct Atom {
    kind: [u8; 4],
    start: u64,
    end: u64,
}

/// Whether files start with an atom of this kind.
pub(super) fn is_first_atom(kind: &[u8]) -> bool {
    matches!(kind, b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot")
}

/// Adds the texts of a file that starts at `start`.
pub(super) fn read<M: Read + Seek>(bytes: &mut Bytes<'_, M>, start: u64, texts: &mut Texts) {
    let end = bytes.len();
    let Some(moov) = find(bytes, start, end, *b"moov", texts) else { return };
    for atom in atoms(bytes, moov.start, moov.end, texts) {
        match &atom.kind {
            b"udta" => read_user_data(bytes, atom, texts),
            b"meta" => read_meta(bytes, atom, texts),
            _ => {}
        }
    }
}

fn read_user_data<M: Read + Seek>(bytes: &mut Bytes<'_, M>, udta: Atom, texts: &mut Texts) {
    for atom in atoms(bytes, udta.start, udta.end, texts) {
        match (&atom.kind, names::mp4_item(&atom.kind)) {
            (b"meta", _) => read_meta(bytes, atom, texts),
            // QuickTime's texts: a length, a language and the text.
            ([0xa9, ..], Some(name)) => {
                let len = bytes.u16_be(atom.start).unwrap_or(0);
                let start = atom.start + 4;
                let text = part(bytes, start, atom.end.min(start + u64::from(len)), MAX_RAW);
                texts.add(name, &loose(&text));
            }
            _ => {}
        }
    }
}

fn read_meta<M: Read + Seek>(bytes: &mut Bytes<'_, M>, meta: Atom, texts: &mut Texts) {
    // MP4 has four bytes of version and flags before the atoms, QuickTime has not.
    let is_plain = bytes
        .array(meta.start + 4)
        .is_some_and(|kind| matches!(&kind, b"hdlr" | b"ilst" | b"keys" | b"mhdr"));
    let start = if is_plain { meta.start } else { meta.start + 4 };
    let keys = find(bytes, start, meta.end, *b"keys", texts);
    let keys = keys.map(|keys| read_keys(bytes, keys, texts)).unwrap_or_default();
    let Some(list) = find(bytes, start, meta.end, *b"ilst", texts) else { return };
    for item in atoms(bytes, list.start, list.end, texts) {
        read_item(bytes, item, &keys, texts);
    }
}

/// QuickTime's names of items, which stand in a list of their own.
fn read_keys<M: Read + Seek>(bytes: &mut Bytes<'_, M>, keys: Atom, texts: &mut Texts) -> Vec<String> {
    let keys = atoms(bytes, keys.start + 8, keys.end, texts);
    keys.into_iter().map(|key| loose(&part(bytes, key.start, key.end, MAX_KEY))).collect()
}

fn read_item<M: Read + Seek>(bytes: &mut Bytes<'_, M>, item: Atom, keys: &[String], texts: &mut Texts) {
    let name = names::mp4_item(&item.kind);
    let number = usize::try_from(u32::from_be_bytes(item.kind)).unwrap_or(0);
    let key = number.checked_sub(1).and_then(|number| keys.get(number));
    // `com.apple.quicktime.title`, or `----` with the name in an atom.
    let mut field = key.and_then(|key| key.rsplit('.').next()).map(str::to_owned);
    if !(name.is_some() || field.is_some() || matches!(&item.kind, b"----" | b"gnre")) {
        return;
    }
    for atom in atoms(bytes, item.start, item.end, texts) {
        match &atom.kind {
            b"name" => field = Some(loose(&part(bytes, atom.start + 4, atom.end, MAX_KEY))),
            b"data" if &item.kind == b"gnre" => {
                let genre = bytes.u16_be(atom.start + 8).filter(|_| atom.start + 10 <= atom.end);
                let genre = genre.and_then(|number| id3::genre(usize::from(number).checked_sub(1)?));
                texts.add("genre", genre.unwrap_or_default());
            }
            b"data" => {
                let content = part(bytes, atom.start + 8, atom.end, MAX_RAW);
                let text = match bytes.u32_be(atom.start) {
                    Some(1) => loose(&content),
                    Some(2) => utf16(&content, true),
                    _ => continue,
                };
                match (name, &field) {
                    (Some(name), _) => texts.add(name, &text),
                    (None, Some(field)) => texts.add_field(field, &text),
                    (None, None) => {}
                }
            }
            _ => {}
        }
    }
}

/// The first atom of this kind.
fn find<M: Read + Seek>(
    bytes: &mut Bytes<'_, M>,
    start: u64,
    end: u64,
    kind: [u8; 4],
    texts: &mut Texts,
) -> Option<Atom> {
    let mut at = start;
    while texts.step() {
        let atom = atom(bytes, at, end)?;
        if atom.kind == kind {
            return Some(atom);
        }
        at = atom.end;
    }
    None
}

/// The atoms from `start` to `end`, up to the first that is damaged.
fn atoms<M: Read + Seek>(bytes: &mut Bytes<'_, M>, start: u64, end: u64, texts: &mut Texts) -> Vec<Atom> {
    let mut atoms = Vec::new();
    let mut at = start;
    while texts.step() {
        let Some(atom) = atom(bytes, at, end) else { break };
        at = atom.end;
        atoms.push(atom);
    }
    atoms
}

fn atom<M: Read + Seek>(bytes: &mut Bytes<'_, M>, at: u64, end: u64) -> Option<Atom> {
    let end = end.min(bytes.len());
    if at >= end {
        return None;
    }
    let [s0, s1, s2, s3, kind @ ..] = bytes.array::<8>(at)?;
    let (header, size) = match u32::from_be_bytes([s0, s1, s2, s3]) {
        0 => (8, end - at),
        1 => (16, bytes.u64_be(at + 8)?),
        size => (8, size.into()),
    };
    let start = at.checked_add(header)?;
    (size >= header && start <= end).then(|| Atom { kind, start, end: at.saturating_add(size).min(end) })
}

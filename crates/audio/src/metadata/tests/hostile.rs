//! Files that lie: nothing panics, and every limit holds.

use std::io::{Cursor, Read, Result, Seek, SeekFrom};

use proptest::prelude::*;

use super::super::texts::{MAX_TEXT, MAX_TEXTS, MAX_TOTAL};
use super::files::*;
use super::{owned, texts};

/// A file of each kind, with tags.
fn tagged() -> Vec<Vec<u8>> {
    let comments = vorbis_comments(&["TITLE=A door", "ARTIST=Ann", "COMMENT=creaks"]);
    let tag = id3v2(4, &[(b"TIT2", b"\x03A door".to_vec()), (b"COMM", b"\0eng\0creaks".to_vec())]);
    let mut unsync = tag.clone();
    (unsync[3], unsync[5]) = (3, 0x80);
    let info = list(b"INFO", &[(b"INAM", b"A door"), (b"IART", b"Ann")]);
    let data = atom(b"data", b"\0\0\0\x01\0\0\0\0A door");
    let meta = atom(
        b"meta",
        &[vec![0; 4], atom(b"hdlr", &[0; 25]), atom(b"ilst", &atom(b"\xa9nam", &data))].concat(),
    );
    vec![
        wav(&[
            (b"bext", &bext("A door creaks", "Ann")),
            (b"data", &[0; 100]),
            (b"LIST", &info),
            (b"iXML", b"<BWFXML><NOTE>a &amp; b</NOTE><ASWG><catId>DOORWood</catId></ASWG></BWFXML>"),
            (b"id3 ", &tag),
        ]),
        [
            b"FORM\0\0\0\0AIFF".to_vec(),
            chunk_be(b"NAME", b"A door"),
            chunk_be(b"COMT", &[0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 65]),
        ]
        .concat(),
        [&b"caff\0\x01\0\0info\0\0\0\0\0\0\0\x10\0\0\0\x01title\0door\0"[..], &[0; 20]].concat(),
        [tag, [0xff, 0xfb, 0x90, 0].repeat(20), ape(&[("Artist", b"Ann")]), id3v1("A door", "Ann", "", 3)]
            .concat(),
        unsync,
        flac(&[(0, &[0; 34]), (4, &comments)]),
        ogg(b"OpusHead\x01", &[b"OpusTags", &comments[..]].concat(), 1),
        [atom(b"ftyp", b"M4A \0\0\0\0"), atom(b"moov", &atom(b"udta", &meta))].concat(),
    ]
}

fn check(file: &[u8]) {
    let found = texts(file);
    assert!(found.len() <= MAX_TEXTS);
    assert!(found.iter().all(|(_, text)| !text.is_empty() && text.len() <= MAX_TEXT));
    assert!(found.iter().map(|(_, text)| text.len()).sum::<usize>() <= MAX_TOTAL);
    assert!(found.iter().all(|(_, text)| !text.chars().any(char::is_control)));
}

/// Counts what is read of a file of `len` bytes: `head`, and then `filler` over and over.
struct Endless {
    head: Vec<u8>,
    filler: Vec<u8>,
    len: u64,
    at: u64,
    reads: usize,
    bytes: usize,
}

impl Endless {
    fn new(head: &[u8], filler: &[u8]) -> Self {
        Self { head: head.to_vec(), filler: filler.to_vec(), len: 1 << 40, at: 0, reads: 0, bytes: 0 }
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        for byte in &mut *buffer {
            let at = usize::try_from(self.at).unwrap();
            *byte = match self.head.get(at) {
                Some(byte) => *byte,
                None => self.filler[(at - self.head.len()) % self.filler.len()],
            };
            self.at += 1;
        }
        self.reads += 1;
        self.bytes += buffer.len();
        Ok(buffer.len())
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(by) => self.len.checked_add_signed(by).unwrap(),
            SeekFrom::Current(by) => self.at.checked_add_signed(by).unwrap(),
        };
        Ok(self.at)
    }
}

#[test]
fn lengths_past_the_end_give_what_is_there() {
    let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
    file.extend(b"bext\xff\xff\xff\xffA door creaks");
    assert_eq!(texts(&file), owned(&[("description", "A door creaks")]));
    let mut file = b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\xffINFO".to_vec();
    file.extend(b"INAM\xff\xff\xff\x7fDoor");
    assert_eq!(texts(&file), owned(&[("title", "Door")]));
    let file = b"ID3\x04\0\0\x7f\x7f\x7f\x7fTIT2\x7f\x7f\x7f\x7f\0\0\0Door";
    assert_eq!(texts(file), owned(&[("title", "Door")]));
    let file = b"fLaC\x84\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xffTITLE=Door";
    assert_eq!(texts(file), owned(&[("title", "Door")]));
    check(b"caffxxxxinfo\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0title\0door\0");
    check(b"\0\0\0\x01moov\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x08udta");
}

#[test]
fn every_kind_of_endless_file_is_left_after_some_reads() {
    let page = [&b"OggS"[..], &[0; 22], &[1, 8], b"OpusHead"].concat();
    let more = [&b"OggS"[..], &[0; 22], &[1, 255], &[0; 255]].concat();
    let packet = [&b"OggS"[..], &[0; 22], &[255], &[255; 255], &[0; 255 * 255]].concat();
    let chapter = b"CHAP\0\0\0\0\0\0";
    let files: [(&[u8], &[u8]); 12] = [
        (b"RIFF\0\0\0\0WAVE", b"note\0\0\0\0"),
        (b"RIFF\0\0\0\0WAVE", b"LIST\xff\xff\xff\0INFOINAM\0\0\0\0"),
        (b"RIFF\0\0\0\0WAVE", b"iXML\0\0\x04\0<A><A><A>"),
        (b"RIFF\0\0\0\0WAVE", b"iXML\xff\xff\xff\xff<A><A><A>"),
        (b"RIFF\0\0\0\0WAVEbext\xff\xff\xff\xff", b"x"),
        (b"FORM\0\0\0\0AIFFCOMT\xff\xff\xff\xff\xff\xff", &[0]),
        (b"ID3\x03\0\0\x7f\x7f\x7f\x7f", chapter),
        (b"ID3\x03\0\x80\x7f\x7f\x7f\x7f", b"T\0\0\0\0\0\0"),
        (b"fLaC", &[0; 4]),
        (b"fLaC\x84\xff\xff\xff\0\0\0\0\xff\xff\xff\xff", &[0; 4]),
        (&page, &more),
        (&page, &packet),
    ];
    for (head, filler) in files {
        let mut file = Endless::new(head, filler);
        super::embedded_texts(&mut file);
        assert!(file.reads < 200_000, "{} reads: {}", file.reads, head.escape_ascii());
        assert!(file.bytes < 24 << 20, "{} bytes: {}", file.bytes, head.escape_ascii());
    }
    let boxes = b"\0\0\0\x10udta\0\0\0\x08meta";
    let mut file = Endless::new(b"\0\0\0\x08ftyp\0\0\0\0moov", boxes);
    super::embedded_texts(&mut file);
    assert!(file.reads < 200_000);
}

#[test]
fn a_file_of_no_known_kind_is_left_after_a_look_at_its_start() {
    let mut file = Endless::new(b"plain text", b" and more");
    super::embedded_texts(&mut file);
    assert!(file.reads <= 4 && file.bytes <= 64, "{} reads of {} bytes", file.reads, file.bytes);
}

#[test]
fn more_texts_than_are_kept_are_dropped() {
    let many: Vec<String> = (0..1000).map(|n| format!("COMMENT={n} {}", "x".repeat(100))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let file = flac(&[(0, &[0; 34]), (4, &vorbis_comments(&many))]);
    check(&file);
    assert_eq!(texts(&file).len(), MAX_TEXTS);
    let long = format!("TITLE={}", "é".repeat(100_000));
    let file = flac(&[(0, &[0; 34]), (4, &vorbis_comments(&[&long, "ARTIST=Ann"]))]);
    check(&file);
    assert_eq!(texts(&file)[0].1.len(), MAX_TEXT);
    assert_eq!(texts(&file)[1].1, "Ann");
}

#[test]
fn chapters_inside_of_chapters_do_not_overflow_the_stack() {
    let depth = 100_000;
    let title = b"TIT2\0\0\0\x05\0\0\0Door";
    // Each level has a header of 10 bytes, an identifier of 2 and four times of 4.
    let chapter = |inside: usize| {
        let len = u32::try_from(18 + inside * 28 + title.len()).unwrap().to_be_bytes();
        [&b"CHAP"[..], &len, &[0, 0], b"x\0", &[0; 16]].concat()
    };
    let chapters: Vec<u8> = (0..depth).rev().flat_map(chapter).chain(*title).collect();
    let size = super::files::synchsafe(chapters.len() + title.len());
    let file = [&b"ID3\x03\0\0"[..], &size, &chapters, title].concat();
    assert_eq!(texts(&file), owned(&[("title", "Door")]));
}

#[test]
fn every_file_cut_anywhere_is_read_without_a_panic() {
    for file in tagged() {
        assert!(!texts(&file).is_empty());
        (0..file.len()).for_each(|len| check(&file[..len]));
    }
}

/// Bytes that lengths are made of.
fn byte() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![0, 1, 8, 0x7f, 0x80, 0xff])
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        head in prop::sample::select(tagged()),
        keep in 0usize..64,
        tail in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        check(&tail);
        check(&[&head[..keep.min(head.len())], &tail].concat());
    }

    #[test]
    fn damaged_files_are_read_without_a_panic(
        file in prop::sample::select(tagged()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), byte()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = file;
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        check(&file);
        check(&file[..cut.index(file.len())]);
    }
}

#[test]
fn a_reader_that_fails_has_no_texts() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> Result<u64> {
            Ok(1000)
        }
    }
    assert!(super::embedded_texts(Broken).is_empty());
    assert!(super::embedded_texts(Cursor::new(Vec::new())).is_empty());
}

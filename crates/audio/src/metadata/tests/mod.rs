//! Whole files of every format, and hostile ones.

mod files;
mod hostile;

use std::io::Cursor;

use self::files::*;
use super::embedded_texts;

/// The texts of a file, as pairs.
pub(super) fn texts(file: &[u8]) -> Vec<(&'static str, String)> {
    embedded_texts(Cursor::new(file)).into_iter().map(|text| (text.name, text.text)).collect()
}

pub(super) fn owned(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    pairs.iter().map(|(name, text)| (*name, (*text).to_owned())).collect()
}

const DOOR: &[(&str, &str)] = &[("title", "Door"), ("artist", "Ann"), ("album", "Doors 2")];

#[test]
fn wav_has_info_and_bext_and_ixml_and_id3_before_and_behind_the_samples() {
    let info = list(
        b"INFO",
        &[(b"INAM", b"Door\0"), (b"IART", b"Ann"), (b"ISFT", b"Program"), (b"IPRD", b"Doors 2")],
    );
    let file = wav(&[
        (b"bext", &bext("A door creaks", "Recorder 3")),
        (b"data", &[1; 999]),
        (b"LIST", &info),
        (b"iXML", b"<BWFXML><NOTE>in the hall</NOTE></BWFXML>"),
        (b"id3 ", &id3v2(3, &[(b"TMOO", b"\0dark".to_vec())])),
    ]);
    let expected = [
        &[("description", "A door creaks"), ("artist", "Recorder 3")],
        DOOR,
        &[("note", "in the hall"), ("mood", "dark")],
    ];
    assert_eq!(texts(&file), owned(&expected.concat()));
}

#[test]
fn relatives_of_wav_are_read_like_it() {
    let ixml: &[u8] = b"<BWFXML><SCENE>7</SCENE></BWFXML>";
    let expected = owned(&[("scene", "7")]);
    // RIFX
    let content = chunk_be(b"iXML", ixml);
    assert_eq!(texts(&[b"RIFX\0\0\0\0WAVE", &content[..]].concat()), expected);
    // RF64: the length of `data` is in `ds64`.
    let mut ds64 = vec![0; 28];
    ds64[8..16].copy_from_slice(&10u64.to_le_bytes());
    let mut file = [b"RF64\xff\xff\xff\xffWAVE".to_vec(), chunk(b"ds64", &ds64)].concat();
    file.extend(b"data\xff\xff\xff\xff");
    file.extend([0; 10]);
    file.extend(chunk(b"iXML", ixml));
    assert_eq!(texts(&file), expected);
    file[..4].copy_from_slice(b"BW64");
    assert_eq!(texts(&file), expected);
    // W64
    let guid = |id: &[u8; 4]| {
        [&id[..], &[0xf3, 0xac, 0xd3, 0x11, 0x8c, 0xd1, 0, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a]].concat()
    };
    let w64_chunk = |id: &[u8; 4], content: &[u8]| {
        let mut chunk = [&guid(id)[..], &(content.len() as u64 + 24).to_le_bytes(), content].concat();
        chunk.resize(chunk.len().next_multiple_of(8), 0);
        chunk
    };
    let mut file = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0".to_vec();
    file.extend([0; 8]);
    file.extend(guid(b"wave"));
    file.extend(w64_chunk(b"data", &[0; 13]));
    file.extend(w64_chunk(b"ixml", ixml));
    assert_eq!(texts(&file), expected);
}

#[test]
fn chunks_whose_padding_was_forgotten_are_found() {
    let mut file = b"RIFF\0\0\0\0WAVEdata\x03\0\0\0abc".to_vec();
    file.extend(chunk(b"LIST", &list(b"INFO", &[(b"INAM", b"Door")])));
    assert_eq!(texts(&file), owned(&[("title", "Door")]));
}

#[test]
fn aiff_and_caf_have_text_chunks() {
    let comments =
        [&[0u8, 2, 0, 0, 0, 0, 0, 0, 0, 3][..], b"one\0", &[0, 0, 0, 0, 0, 0, 0, 3], b"two\0"].concat();
    let chunks: Vec<u8> = [
        chunk_be(b"NAME", b"Door"),
        chunk_be(b"SSND", &[0; 31]),
        chunk_be(b"AUTH", b"Ann"),
        chunk_be(b"ANNO", b"creaks"),
        chunk_be(b"COMT", &comments),
        chunk_be(b"ID3 ", &id3v2(4, &[(b"TALB", b"\x03Doors 2".to_vec())])),
        chunk_be(b"iXML", b"<BWFXML><SCENE>7</SCENE></BWFXML>"),
    ]
    .concat();
    let expected = [
        ("title", "Door"),
        ("artist", "Ann"),
        ("comment", "creaks"),
        ("comment", "one"),
        ("comment", "two"),
        ("album", "Doors 2"),
        ("scene", "7"),
    ];
    assert_eq!(texts(&[b"FORM\0\0\0\0AIFF", &chunks[..]].concat()), owned(&expected));
    assert_eq!(texts(&[b"FORM\0\0\0\0AIFC", &chunks[..]].concat()), owned(&expected));

    let strings = b"\0\0\0\x03title\0Door\0artist\0Ann\0album\0Doors 2\0";
    let mut file = b"caff\0\x01\0\0".to_vec();
    file.extend([b"info", &(strings.len() as u64).to_be_bytes()[..4]].concat());
    file.extend(&(strings.len() as u64).to_be_bytes()[4..]);
    file.extend(strings);
    assert_eq!(texts(&file), owned(DOOR));
}

#[test]
fn id3_is_read_in_every_version_and_encoding() {
    let utf16 = |text: &str| {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [vec![1, 0xff, 0xfe], units.collect()].concat()
    };
    let v24 = id3v2(4, &[(b"TIT2", utf16("Tür")), (b"TPE1", b"\x03Ann\0Ben".to_vec())]);
    let v23 = id3v2(3, &[(b"TIT2", b"\0T\xfcr".to_vec()), (b"TPE1", b"\0Ann\0Ben".to_vec())]);
    let v22 =
        [&b"ID3\x02\0\0\0\0\0\x17"[..], b"TT2\0\0\x04\0T\xfcr", b"TP1\0\0\x04\0Ann", &[0; 4][..]].concat();
    let frames = [0xff, 0xfb, 0x90, 0].repeat(100);
    for tag in [v24, v23] {
        let expected = owned(&[("title", "Tür"), ("artist", "Ann"), ("artist", "Ben")]);
        assert_eq!(texts(&[tag, frames.clone()].concat()), expected);
    }
    assert_eq!(texts(&[v22, frames].concat()), owned(&[("title", "Tür"), ("artist", "Ann")]));
}

#[test]
fn id3_frames_are_read_by_their_kind() {
    let tag = id3v2(
        4,
        &[
            (b"APIC", vec![7; 5000]),
            (b"COMM", b"\0engiTunNORM\0 0000001F".to_vec()),
            (b"COMM", b"\0eng\0heavy".to_vec()),
            (b"COMM", [&b"\x01eng\xff\xfe\0\0\xff\xfe"[..], b"w\0e\0t\0"].concat()),
            (b"TXXX", b"\0CATID\0DOORWood\0".to_vec()),
            (b"TXXX", [&b"\x01\xff\xfeM\0o\0o\0d\0\0\0"[..], b"\xff\xfes\0a\0d\0\0\0"].concat()),
            (b"TXXX", b"\0replaygain_track_gain\0-1 dB".to_vec()),
            (b"TCON", b"\0(17)(26)Field recording".to_vec()),
            (b"TCON", b"\x01\xff\xfe8\0".to_vec()),
            (b"TSSE", b"\0Lavf".to_vec()),
        ],
    );
    let expected = [
        ("comment", "heavy"),
        ("comment", "wet"),
        ("category", "doors wood"),
        ("mood", "sad"),
        ("genre", "Rock"),
        ("genre", "Ambient"),
        ("genre", "Field recording"),
        ("genre", "Jazz"),
    ];
    assert_eq!(texts(&tag), owned(&expected));
}

#[test]
fn id3_flags_are_heeded() {
    // Unsynchronised as a whole: a zero behind each 0xff.
    let mut tag = id3v2(3, &[(b"TIT2", b"\x01\xff\0\xfeD\0".to_vec())]);
    tag[5] = 0x80;
    tag[17] = 5;
    assert_eq!(texts(&tag), owned(&[("title", "D")]));
    // An extended header.
    let frame = &id3v2(3, &[(b"TIT2", b"\0Door".to_vec())])[10..];
    let mut tag = [&b"ID3\x03\0\x40\0\0\0\0"[..], &[0, 0, 0, 6, 0, 0, 0, 0, 0, 0], frame].concat();
    tag[9] = u8::try_from(tag.len() - 10).unwrap();
    assert_eq!(texts(&tag), owned(&[("title", "Door")]));
    // A compressed frame is passed over; one with a data length is not.
    let mut tag = id3v2(4, &[(b"TIT2", b"xxxx".to_vec()), (b"TIT2", b"\0\0\0\x05\0Door".to_vec())]);
    tag[19] = 0x08;
    tag[33] = 0x01;
    assert_eq!(texts(&tag), owned(&[("title", "Door")]));
    // Version 2.4 with the sizes of 2.3, as iTunes wrote them.
    let long = format!("\0{}", "x".repeat(199));
    let mut tag = id3v2(3, &[(b"TIT2", long.into_bytes()), (b"TPE1", b"\0Ann".to_vec())]);
    tag[3] = 4;
    assert_eq!(texts(&tag)[1], ("artist", "Ann".to_owned()));
}

#[test]
fn tags_at_the_end_are_read_and_their_cut_texts_dropped() {
    let title = "A heavy wooden door that creaks";
    let file = [
        id3v2(4, &[(b"TIT2", format!("\0{title}").into_bytes())]),
        [0xff, 0xfb, 0x90, 0].repeat(50),
        ape(&[("Artist", b"Ann"), ("Cover Art (Front)", &[0; 300]), ("Mood", b"dark")]),
        id3v1(&title[..30], "", "Doors 2", 26),
    ]
    .concat();
    let expected =
        [("title", title), ("artist", "Ann"), ("mood", "dark"), ("album", "Doors 2"), ("genre", "Ambient")];
    assert_eq!(texts(&file), owned(&expected));
    let file = [b"MAC \x96\x0f\0\0".to_vec(), vec![0; 100], ape(&[("Title", b"Door")])].concat();
    assert_eq!(texts(&file), owned(&[("title", "Door")]));
}

#[test]
fn vorbis_comments_are_read_in_flac_and_ogg() {
    let comments = vorbis_comments(&[
        "TITLE=Door",
        "METADATA_BLOCK_PICTURE=AAAA",
        "no separator",
        "artist=Ann",
        "Album=Doors 2",
    ]);
    assert_eq!(texts(&flac(&[(0, &[0; 34]), (6, &[0; 70_000]), (4, &comments)])), owned(DOOR));
    let tagged = [id3v2(4, &[]), flac(&[(0, &[0; 34]), (4, &comments)])].concat();
    assert_eq!(texts(&tagged), owned(DOOR));
    for (id, signature) in [(&b"OpusHead\x01"[..], &b"OpusTags"[..]), (b"\x01vorbis\0", b"\x03vorbis")] {
        let packet = [signature, &comments].concat();
        assert_eq!(texts(&ogg(id, &packet, 255)), owned(DOOR));
        // On pages of 100 bytes each.
        assert_eq!(texts(&ogg(id, &packet, 1)), owned(DOOR));
    }
}

#[test]
fn flac_keeps_chunks_of_the_wav_file_it_was_made_from() {
    let kept = [b"riff".to_vec(), chunk(b"bext", &bext("A door creaks", ""))].concat();
    let file = flac(&[(0, &[0; 34]), (2, b"riffRIFF\0\0\0\0WAVE"), (2, &kept)]);
    assert_eq!(texts(&file), owned(&[("description", "A door creaks")]));
}

#[test]
fn mp4_items_are_read() {
    let item = |kind: &[u8; 4], data_kind: u32, text: &[u8]| {
        atom(kind, &atom(b"data", &[&data_kind.to_be_bytes()[..], &[0; 4], text].concat()))
    };
    let freeform = atom(
        b"----",
        &[
            atom(b"mean", b"\0\0\0\0com.apple.iTunes"),
            atom(b"name", b"\0\0\0\0MOOD"),
            atom(b"data", b"\0\0\0\x01\0\0\0\0dark"),
        ]
        .concat(),
    );
    let list = atom(
        b"ilst",
        &[
            item(b"\xa9nam", 1, b"Door"),
            item(b"covr", 13, &[0; 3000]),
            item(b"\xa9ART", 2, b"\0A\0n\0n"),
            item(b"\xa9alb", 1, b"Doors 2"),
            item(b"gnre", 0, &[0, 18]),
            freeform,
        ]
        .concat(),
    );
    let handler = atom(b"hdlr", &[0; 25]);
    for version in [&[][..], &[0; 4]] {
        let meta = atom(b"meta", &[version, &handler, &list].concat());
        let moov = atom(b"moov", &[atom(b"mvhd", &[0; 100]), atom(b"udta", &meta)].concat());
        let expected = [DOOR, &[("genre", "Rock"), ("mood", "dark")]].concat();
        let ftyp = atom(b"ftyp", b"M4A \0\0\0\0");
        assert_eq!(texts(&[ftyp.clone(), moov.clone(), atom(b"mdat", &[0; 99])].concat()), owned(&expected));
        // The samples first, with a length of 64 bits.
        let long = [&b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x2a"[..], &[0; 26]].concat();
        assert_eq!(texts(&[ftyp, long, moov].concat()), owned(&expected));
    }
}

#[test]
fn quicktime_has_texts_and_keys_of_its_own() {
    let text = [&[0, 4, 0x55, 0xc4][..], b"Door"].concat();
    let keys = atom(
        b"keys",
        &[&[0, 0, 0, 0, 0, 0, 0, 1][..], &atom(b"mdta", b"com.apple.quicktime.artist")].concat(),
    );
    let item = atom(&1u32.to_be_bytes(), &atom(b"data", b"\0\0\0\x01\0\0\0\0Ann"));
    let meta = atom(b"meta", &[atom(b"hdlr", &[0; 25]), keys, atom(b"ilst", &item)].concat());
    let file = atom(b"moov", &[atom(b"udta", &atom(b"\xa9nam", &text)), meta].concat());
    assert_eq!(texts(&file), owned(&[("title", "Door"), ("artist", "Ann")]));
}

#[test]
fn files_of_other_kinds_have_no_texts() {
    for file in [
        &b""[..],
        b"R",
        b"RIFF",
        b"plain text, TITLE=Door",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\0\0\0\0AVI LIST",
        &[0; 4096],
    ] {
        assert_eq!(texts(file), owned(&[]));
    }
}

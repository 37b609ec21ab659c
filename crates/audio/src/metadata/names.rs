//! Which of the names of [`EmbeddedText`](super::EmbeddedText) the fields of the formats have.

/// What a field holds that a format or a program names freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// A text of this name.
    Text(&'static str),
    /// A CatID of the Universal Category System.
    CatId,
}

/// Longest name of a field that is known, with room for punctuation.
const MAX_FIELD: usize = 48;

impl Field {
    /// What the field `name` is: of a Vorbis comment, an APE tag, an ID3 `TXXX` frame, an MP4 item or an iXML
    /// element. Case and punctuation do not count: `Album Artist`, `ALBUM_ARTIST`, `albumArtist`.
    ///
    /// Knows the fields of music libraries, and those of Soundminer, Steinberg, UCS and Sony's ASWG.
    pub(super) fn of(name: &str) -> Option<Self> {
        if name.len() > MAX_FIELD {
            return None;
        }
        let letters = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
        let text = match letters.collect::<String>().as_str() {
            "catid" => return Some(Self::CatId),
            "title" | "tracktitle" | "fxname" | "songtitle" | "displayname" | "mediatracktitle" => "title",
            "description" | "bwdescription" | "bwfdescription" | "desc" | "longdescription" | "synopsis"
            | "summary" | "subtitle" | "subject" | "text" => "description",
            "keywords" | "keyword" | "tags" | "tag" | "instrument" | "mediakeywords" => "keywords",
            "category" | "categoryfull" | "usercategory" | "vendorcategory" | "grouping" | "contenttype"
            | "mediacategorypost" | "musicalcategory" => "category",
            "subcategory" | "mediasubcategorypost" | "musicalsubcategory" => "subcategory",
            "artist"
            | "artists"
            | "albumartist"
            | "albumartists"
            | "author"
            | "composer"
            | "performer"
            | "designer"
            | "recordist"
            | "creator"
            | "creatorid"
            | "engineer"
            | "originator"
            | "bwforiginator"
            | "manufacturer"
            | "actorname"
            | "mediaartist"
            | "mediacomposer"
            | "medialibrarymanufacturername" => "artist",
            "album" | "library" | "project" | "show" | "source" | "sourceid" | "publisher" | "label"
            | "organization" | "medialibrary" | "medialibraryname" | "mediaalbum" => "album",
            "genre" | "subgenre" | "mediagenre" | "musicalgenre" => "genre",
            "comment" | "comments" | "mediacomment" => "comment",
            "mood" | "emotion" => "mood",
            "location" | "locationname" | "recordinglocation" | "reclocation" | "mediarecordinglocation" => {
                "location"
            }
            "scene" => "scene",
            "note" | "notes" => "note",
            _ => return None,
        };
        Some(Self::Text(text))
    }
}

/// The name of a text frame of ID3v2, by its identifier in version 2.2 or from 2.3 on.
pub(super) fn id3_frame(id: &[u8]) -> Option<&'static str> {
    Some(match id {
        b"TIT2" | b"TT2" => "title",
        b"TIT3" | b"TT3" | b"TDES" => "description",
        b"TKWD" => "keywords",
        b"TIT1" | b"TT1" | b"GRP1" | b"TCAT" => "category",
        b"TPE1" | b"TP1" | b"TPE2" | b"TP2" | b"TCOM" | b"TCM" => "artist",
        b"TALB" | b"TAL" | b"TPUB" | b"TPB" => "album",
        b"TCON" | b"TCO" => "genre",
        b"TMOO" => "mood",
        _ => return None,
    })
}

/// The name of a chunk of a RIFF `INFO` list.
pub(super) fn riff_info(id: &[u8; 4]) -> Option<&'static str> {
    Some(match id {
        b"INAM" | b"TITL" => "title",
        b"ISBJ" => "description",
        b"IKEY" => "keywords",
        b"IART" | b"IENG" | b"IMUS" | b"IWRI" | b"ISRC" => "artist",
        b"IPRD" | b"IALB" => "album",
        b"IGNR" | b"ISGN" => "genre",
        b"ICMT" | b"COMM" => "comment",
        _ => return None,
    })
}

/// The name of an item of an MP4 file, or of a text in a QuickTime file's user data.
pub(super) fn mp4_item(kind: &[u8; 4]) -> Option<&'static str> {
    Some(match kind {
        b"\xa9nam" => "title",
        b"\xa9des" | b"\xa9inf" | b"desc" | b"ldes" => "description",
        b"keyw" | b"\xa9key" => "keywords",
        b"catg" | b"\xa9grp" => "category",
        b"\xa9ART" | b"aART" | b"\xa9wrt" | b"\xa9aut" | b"\xa9prf" => "artist",
        b"\xa9alb" | b"tvsh" | b"\xa9pub" => "album",
        b"\xa9gen" => "genre",
        b"\xa9cmt" => "comment",
        _ => return None,
    })
}

/// The name of a text chunk of AIFF.
pub(super) fn aiff_chunk(id: &[u8; 4]) -> Option<&'static str> {
    Some(match id {
        b"name" => "title",
        b"auth" => "artist",
        b"anno" => "comment",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_punctuation_of_a_field_do_not_count() {
        for name in ["Album Artist", "ALBUM_ARTIST", "albumArtist", "ALBUMARTIST"] {
            assert_eq!(Field::of(name), Some(Field::Text("artist")), "{name}");
        }
        assert_eq!(Field::of("CatID"), Some(Field::CatId));
        assert_eq!(Field::of("REPLAYGAIN_TRACK_GAIN"), None);
        assert_eq!(Field::of(&"title".repeat(1000)), None);
        assert_eq!(Field::of(""), None);
    }
}

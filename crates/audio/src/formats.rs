//! The one table of kinds of sound files: names, extensions, media types. Walking folders, filters, help
//! texts and the server all use it.

/// A kind of sound file.
#[derive(Debug, PartialEq, Eq)]
pub struct Format {
    /// Its name, as in [`AudioInfo::format`](crate::AudioInfo) and in filters.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Extensions of files that may hold it, without the dot, the usual one first.
    pub extensions: &'static [&'static str],
    /// Media type, as servers send it.
    pub media_type: &'static str,
    /// Whether it is decoded here. The others need ffmpeg.
    pub is_built_in: bool,
}

const fn built_in(
    name: &'static str,
    title: &'static str,
    extensions: &'static [&'static str],
    media_type: &'static str,
) -> Format {
    Format { name, title, extensions, media_type, is_built_in: true }
}

const fn by_ffmpeg(
    name: &'static str,
    title: &'static str,
    extensions: &'static [&'static str],
    media_type: &'static str,
) -> Format {
    Format { name, title, extensions, media_type, is_built_in: false }
}

/// All kinds of files that are looked for in folders.
pub const FORMATS: &[Format] = &[
    built_in("wav", "WAV", &["wav", "wave", "bwf"], "audio/wav"),
    built_in("rf64", "RF64 and BW64", &["rf64", "bw64"], "audio/wav"),
    built_in("w64", "Wave64", &["w64"], "audio/x-w64"),
    built_in("aiff", "AIFF", &["aiff", "aif", "aifc"], "audio/aiff"),
    built_in("au", "AU", &["au", "snd"], "audio/basic"),
    built_in("caf", "CAF", &["caf"], "audio/x-caf"),
    built_in("flac", "FLAC", &["flac"], "audio/flac"),
    built_in("mp3", "MP3", &["mp3"], "audio/mpeg"),
    built_in("mp2", "MP2", &["mp2", "mpa"], "audio/mpeg"),
    built_in("mp1", "MP1", &["mp1"], "audio/mpeg"),
    built_in("aac", "AAC", &["aac"], "audio/aac"),
    built_in("ogg", "Ogg Vorbis, Opus and FLAC", &["ogg", "oga", "opus", "ogv"], "audio/ogg"),
    built_in(
        "mp4",
        "MP4, M4A and QuickTime",
        &["m4a", "mp4", "m4b", "m4r", "m4v", "mov", "3gp", "3g2", "alac"],
        "audio/mp4",
    ),
    built_in("mkv", "Matroska and WebM", &["mka", "mkv", "webm", "weba"], "audio/webm"),
    by_ffmpeg("ac3", "AC-3 and E-AC-3", &["ac3", "eac3", "ec3"], "audio/ac3"),
    by_ffmpeg("amr", "AMR", &["amr", "awb"], "audio/amr"),
    by_ffmpeg("ape", "Monkey's Audio", &["ape"], "audio/x-ape"),
    by_ffmpeg("asf", "Windows Media", &["wma", "asf"], "audio/x-ms-wma"),
    by_ffmpeg("dsd", "DSD", &["dsf", "dff"], "audio/x-dsd"),
    by_ffmpeg("dts", "DTS", &["dts"], "audio/vnd.dts"),
    by_ffmpeg("mpc", "Musepack", &["mpc"], "audio/x-musepack"),
    by_ffmpeg("ra", "RealAudio", &["ra", "rm"], "audio/x-realaudio"),
    by_ffmpeg("spx", "Speex", &["spx"], "audio/ogg"),
    by_ffmpeg("thd", "TrueHD", &["thd"], "audio/x-thd"),
    by_ffmpeg("tta", "True Audio", &["tta"], "audio/x-tta"),
    by_ffmpeg("voc", "Creative Voice", &["voc"], "audio/x-voc"),
    by_ffmpeg("wv", "WavPack", &["wv"], "audio/x-wavpack"),
];

impl Format {
    /// The kind that people mean by `text`: its name or an extension of its files, with a dot or without.
    ///
    /// # Errors
    /// What was expected and what came.
    pub fn parse(text: &str) -> Result<&'static Self, String> {
        let wanted = text.trim().trim_start_matches('.');
        let found = Self::named(wanted).or_else(|| Self::of_extension(wanted));
        let names = || FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| format!("expected one of {}, got `{text}`", names()))
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name.eq_ignore_ascii_case(name))
    }

    /// The kind that files with this extension are, as a rule.
    pub fn of_extension(extension: &str) -> Option<&'static Self> {
        FORMATS
            .iter()
            .find(|format| format.extensions.iter().any(|known| known.eq_ignore_ascii_case(extension)))
    }
}

/// Whether `codec`, as messages call it, is of a kind in the table that ffmpeg is known to decode.
pub(crate) fn is_known_to_ffmpeg(codec: &str) -> bool {
    let mut titles = FORMATS.iter().filter(|format| !format.is_built_in).map(|format| format.title);
    titles.any(|title| title.split(" and ").any(|name| codec.starts_with(name)))
}

/// What is decoded here, for messages and help texts.
pub fn readable() -> String {
    let titles: Vec<&str> =
        FORMATS.iter().filter(|format| format.is_built_in).map(|format| format.title).collect();
    format!("a sound file ({})", titles.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_extensions_are_unambiguous() {
        let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        let extensions: Vec<&str> = FORMATS.iter().flat_map(|format| format.extensions).copied().collect();
        for list in [names, extensions] {
            for (at, one) in list.iter().enumerate() {
                assert!(!list[..at].contains(one), "{one}");
                assert_eq!(one.to_lowercase(), *one);
            }
        }
        assert_eq!(Format::of_extension("M4A").map(|format| format.name), Some("mp4"));
        assert!(
            ["AC-3", "E-AC-3", "AMR-WB", "DTS", "Windows Media (ASF)"]
                .iter()
                .all(|codec| is_known_to_ffmpeg(codec))
        );
        assert!(
            !["WAV codec 0x4242", "OptimFROG", "`abcd`", "AC-4"]
                .iter()
                .any(|codec| is_known_to_ffmpeg(codec))
        );
        assert_eq!(Format::named("wav").map(|format| format.extensions[0]), Some("wav"));
    }
}

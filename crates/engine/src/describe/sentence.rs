//! One plain sentence about a recording, from what was measured and heard.
//!
//! At most five sounds are said: the most certain and longest are chosen, and told in the order in which
//! they begin; what lasts through the recording comes last, as in "A dog barks at 0:02 while it rains
//! throughout."

use super::classes::{self, Class};
use super::level::{Level, Silence, SilentStretch};
use super::timeline::{SoundEvent, covered_s, overlap_s};

/// Sounds said at most.
const MOST_SOUNDS: usize = 5;

/// In shorter recordings it goes without saying when something is heard, seconds.
const NO_TIMES_BELOW_S: f64 = 3.0;

/// A sound over at least this share of a recording lasts throughout; over this share, most of the time.
const THROUGHOUT: f64 = 0.9;
const MOSTLY: f64 = 0.6;

/// Sounds no longer than this happen at a time, not from one to another, seconds.
const MOMENT_S: f64 = 2.0;

/// Moments that are listed, and stretches.
const MOST_MOMENTS: usize = 5;
const MOST_STRETCHES: usize = 3;

/// Where no sound is more certain than this, the sentence says "perhaps".
const CERTAIN: f32 = 0.3;

/// A sound that is said is at least this share as certain as the most certain one.
const LEAST_SHARE: f32 = 0.4;

/// Silence over this share of a recording is said.
const SILENCE_SAID: f64 = 0.2;
/// Over this share it is silent throughout.
const SILENT: f64 = 0.95;

/// A recording with less power than this is very quiet, dB relative to full scale.
const VERY_QUIET_DBFS: f64 = -50.0;

/// Clipped samples over this share are said.
const CLIPPED_SAID: f64 = 0.001;

/// What the sentence is made from.
pub(super) struct Facts<'a> {
    pub(super) duration_s: f64,
    pub(super) level: &'a Level,
    pub(super) silence: &'a Silence,
    pub(super) events: &'a [SoundEvent],
    /// The class that came nearest to being heard, where none was.
    pub(super) nearest: Option<(&'a str, f32)>,
}

/// The sentence.
pub(super) fn sentence(facts: &Facts<'_>) -> String {
    if facts.level.peak_dbfs.is_none() {
        return "There is nothing but digital silence.".to_owned();
    }
    let sounds = chosen(facts);
    let mut text = match sounds.iter().map(|sound| sound.score()).reduce(f32::max) {
        None => nothing(facts),
        Some(best) if best < CERTAIN => format!("perhaps {}", said(&sounds, facts.duration_s)),
        Some(_) => said(&sounds, facts.duration_s),
    };
    if !sounds.is_empty()
        && let Some(silence) = silence(facts.silence, facts.duration_s)
    {
        text.push_str(&silence);
    }
    if facts.level.clipped_share >= CLIPPED_SAID {
        text.push_str("; the recording is clipped");
    } else if facts.level.rms_dbfs.is_some_and(|rms| rms < VERY_QUIET_DBFS) && facts.silence.share < SILENT {
        text.push_str("; the recording is very quiet");
    }
    text.push('.');
    capitalised(&text)
}

/// A class and when it is heard.
struct Sound<'a> {
    name: &'a str,
    class: Option<&'static Class>,
    events: Vec<&'a SoundEvent>,
}

impl Sound<'_> {
    fn score(&self) -> f32 {
        self.events.iter().map(|event| event.score).fold(0.0, f32::max)
    }

    fn length_s(&self) -> f64 {
        covered_s(self.events.iter().copied())
    }

    fn onset_s(&self) -> f64 {
        self.events.first().map_or(0.0, |event| event.onset_s)
    }

    /// How much it deserves to be said.
    fn weight(&self, duration_s: f64) -> f64 {
        f64::from(self.score()) * (self.length_s() / duration_s).sqrt()
    }

    fn once(&self) -> String {
        self.class.map_or_else(|| quoted(self.name), |class| class.once.to_owned())
    }

    fn lasting(&self) -> String {
        self.class.map_or_else(|| quoted(self.name), |class| class.lasting.to_owned())
    }

    /// Whether both names stand for one sound: one implies the other, or they are of one sort, and they are
    /// heard at the same time.
    fn is_same_as(&self, other: &Self) -> bool {
        let alike = self.once() == other.once()
            || classes::implies(self.name, other.name)
            || classes::implies(other.name, self.name)
            || matches!((self.class, other.class), (Some(a), Some(b)) if a.sort == b.sort);
        let shorter_s = self.length_s().min(other.length_s());
        alike && overlap_s(&self.events, &other.events) >= shorter_s / 2.0
    }
}

/// A clause for a class that the table does not have.
fn quoted(name: &str) -> String {
    format!("“{name}” is heard")
}

/// The sounds worth saying, in the order in which they begin.
fn chosen<'a>(facts: &Facts<'a>) -> Vec<Sound<'a>> {
    let mut sounds: Vec<Sound<'a>> = Vec::new();
    for event in facts.events {
        match sounds.iter_mut().find(|sound| sound.name == event.class) {
            Some(sound) => sound.events.push(event),
            None => {
                let class = classes::class(&event.class);
                if !class.is_some_and(|class| class.is_setting) {
                    sounds.push(Sound { name: &event.class, class, events: vec![event] });
                }
            }
        }
    }
    // A stable sort: of equal ones, the first heard.
    sounds.sort_by(|a, b| b.weight(facts.duration_s).total_cmp(&a.weight(facts.duration_s)));
    let best = sounds.iter().map(Sound::score).fold(0.0, f32::max);
    let is_vague = |sound: &Sound<'_>| sound.class.is_some_and(|class| class.is_vague);
    let all_vague = sounds.iter().all(is_vague);
    let mut chosen: Vec<Sound<'a>> = Vec::new();
    for sound in sounds {
        let worth = sound.score() >= LEAST_SHARE * best && (all_vague || !is_vague(&sound));
        if worth && chosen.len() < MOST_SOUNDS && !chosen.iter().any(|other| other.is_same_as(&sound)) {
            chosen.push(sound);
        }
    }
    chosen.sort_by(|a, b| a.onset_s().total_cmp(&b.onset_s()));
    chosen
}

/// All sounds, in one clause after the other.
fn said(sounds: &[Sound<'_>], duration_s: f64) -> String {
    let (mut passing, mut throughout, mut mostly) = (Vec::new(), Vec::new(), Vec::new());
    for sound in sounds {
        let share = sound.length_s() / duration_s;
        if duration_s < NO_TIMES_BELOW_S {
            passing.push(sound.once());
        } else if share >= THROUGHOUT {
            throughout.push(sound.lasting());
        } else if share >= MOSTLY {
            mostly.push(sound.lasting());
        } else {
            passing.push(format!("{} {}", in_words(sound, duration_s), when(sound, duration_s)));
        }
    }
    let lasting: Vec<String> = [(throughout, "throughout"), (mostly, "most of the time")]
        .into_iter()
        .filter(|(clauses, _)| !clauses.is_empty())
        .map(|(clauses, how_long)| format!("{} {how_long}", listed(&clauses)))
        .collect();
    let lasting = listed(&lasting);
    match (passing.len(), lasting.is_empty()) {
        (0, _) => lasting,
        (_, true) => listed(&passing),
        (1, false) => format!("{} while {lasting}", passing[0]),
        (_, false) => format!("{}, while {lasting}", listed(&passing)),
    }
}

/// "a", "a and b", "a, b, and c"; a comma before the "and" too, where a part has one of its own.
fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first, second] if !first.contains(" and ") && !second.contains(" and ") => {
            format!("{first} and {second}")
        }
        [most @ .., last] => format!("{}, and {last}", most.join(", ")),
    }
}

/// The clause for a sound that does not last throughout.
fn in_words(sound: &Sound<'_>, duration_s: f64) -> String {
    let many =
        sound.events.len() > MOST_STRETCHES && !are_counted(sound) || starts_and_ends(sound, duration_s);
    if many { sound.lasting() } else { sound.once() }
}

/// Whether a lone event is as long as the recording, but for a moment.
fn starts_and_ends(sound: &Sound<'_>, duration_s: f64) -> bool {
    matches!(sound.events.as_slice(), [event] if is_start(event.onset_s) && is_end(event.offset_s, duration_s))
}

/// Whether a sound is so many moments of something that can be counted.
fn are_counted(sound: &Sound<'_>) -> bool {
    sound.class.is_some_and(|class| class.is_counted) && sound.events.iter().all(|event| is_moment(event))
}

fn is_moment(event: &SoundEvent) -> bool {
    event.offset_s - event.onset_s <= MOMENT_S
}

fn is_start(seconds: f64) -> bool {
    seconds < 0.25
}

fn is_end(seconds: f64, duration_s: f64) -> bool {
    duration_s - seconds < 0.25
}

/// When a sound is heard that does not last throughout.
fn when(sound: &Sound<'_>, duration_s: f64) -> String {
    let events = sound.events.as_slice();
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return String::new() };
    let count = events.len();
    if count > 1 && are_counted(sound) {
        let times = match count {
            2 => "twice".to_owned(),
            3 => "three times".to_owned(),
            4 => "four times".to_owned(),
            5 => "five times".to_owned(),
            _ => format!("{count} times"),
        };
        if count > MOST_MOMENTS {
            return format!("{times} {}", between(first.onset_s, last.offset_s));
        }
        let mut clocks: Vec<String> = events.iter().map(|event| clock(event.onset_s)).collect();
        clocks.dedup();
        return match clocks.as_slice() {
            [only] => format!("{times} at {only}"),
            _ => format!("{times} ({})", clocks.join(", ")),
        };
    }
    if count > MOST_STRETCHES {
        return format!("on and off {}", between(first.onset_s, last.offset_s));
    }
    let stretches: Vec<String> = events.iter().map(|event| stretch(event, duration_s)).collect();
    // "at 0:02, 0:05, and 0:09" rather than "at 0:02, at 0:05, and at 0:09".
    let moments: Vec<String> =
        stretches.iter().filter_map(|said| said.strip_prefix("at ").map(str::to_owned)).collect();
    if moments.len() == count {
        let mut moments = moments;
        moments.dedup();
        return format!("at {}", listed(&moments));
    }
    listed(&stretches)
}

fn stretch(event: &SoundEvent, duration_s: f64) -> String {
    let (from, to) = (clock(event.onset_s), clock(event.offset_s));
    let (starts, ends) = (is_start(event.onset_s), is_end(event.offset_s, duration_s));
    if starts && !is_moment(event) {
        format!("until {to}")
    } else if ends && !is_moment(event) {
        format!("from {from} on")
    } else if is_moment(event) || from == to {
        format!("at {from}")
    } else {
        format!("from {from} to {to}")
    }
}

fn between(from_s: f64, to_s: f64) -> String {
    let (from, to) = (clock(from_s), clock(to_s));
    if from == to { format!("at {from}") } else { format!("between {from} and {to}") }
}

/// What is said where nothing is recognised.
fn nothing(facts: &Facts<'_>) -> String {
    if facts.silence.share >= SILENT {
        return "nearly silent throughout".to_owned();
    }
    let mut text = "nothing is recognised for certain".to_owned();
    if let Some(silence) = silence(facts.silence, facts.duration_s) {
        text.push_str(&silence);
    }
    match facts.nearest {
        Some((name, score)) => format!("{text}; the nearest class is “{name}” ({score:.2})"),
        None => text,
    }
}

/// Where it is silent, if for long enough to be said.
fn silence(silence: &Silence, duration_s: f64) -> Option<String> {
    if silence.share < SILENCE_SAID || duration_s < NO_TIMES_BELOW_S {
        return None;
    }
    if silence.share >= SILENT {
        return Some(", all of it nearly silent".to_owned());
    }
    let length = |stretch: &&SilentStretch| stretch.end_s - stretch.start_s;
    let longest = silence.stretches.iter().max_by(|a, b| length(a).total_cmp(&length(b)))?;
    if length(&longest) < 0.8 * silence.share * duration_s {
        return Some(format!(", with silence for {:.0} % of the time", silence.share * 100.0));
    }
    let (from, to) = (clock(longest.start_s), clock(longest.end_s));
    Some(match (is_start(longest.start_s), is_end(longest.end_s, duration_s)) {
        (true, _) => format!(", after silence until {to}"),
        (_, true) if from == clock(0.0) => ", then silence".to_owned(),
        (_, true) => format!(", with silence from {from} on"),
        _ => format!(", with silence from {from} to {to}"),
    })
}

/// A time as people say it: `0:02`, `1:02:03`; the second that it is in, as players show it.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{rest:02}") } else { format!("{minutes}:{rest:02}") }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: Level =
        Level { peak_dbfs: Some(-3.0), rms_dbfs: Some(-20.0), loudness_lufs: None, clipped_share: 0.0 };

    fn event(class: &str, onset_s: f64, offset_s: f64, score: f32) -> SoundEvent {
        SoundEvent { class: class.to_owned(), onset_s, offset_s, score }
    }

    /// A length, what is heard in it, and what is said of it.
    type Case<'a> = (f64, &'a [(&'a str, f64, f64)], &'a str);

    /// The sentence for events of certainty 0.8 in a recording that is never silent.
    fn says(duration_s: f64, events: &[(&str, f64, f64)]) -> String {
        let events: Vec<SoundEvent> =
            events.iter().map(|(class, onset, offset)| event(class, *onset, *offset, 0.8)).collect();
        with(duration_s, &LEVEL, &[], &events)
    }

    fn with(duration_s: f64, level: &Level, silent: &[(f64, f64)], events: &[SoundEvent]) -> String {
        let stretches: Vec<SilentStretch> =
            silent.iter().map(|&(start_s, end_s)| SilentStretch { start_s, end_s }).collect();
        let silent_s: f64 = silent.iter().map(|(start, end)| end - start).sum();
        let silence = Silence { share: silent_s / duration_s, stretches };
        sentence(&Facts { duration_s, level, silence: &silence, events, nearest: Some(("Tick", 0.18)) })
    }

    #[test]
    fn sentences_read_as_people_would_say_them() {
        let bark = |at: f64| ("Bark", at, at + 0.6);
        let cases: [Case; 17] = [
            (
                10.0,
                &[("Rain", 0.0, 10.0), bark(2.3), bark(3.4)],
                "A dog barks twice (0:02, 0:03) while it rains throughout.",
            ),
            (10.0, &[bark(2.3), bark(2.9)], "A dog barks twice at 0:02."),
            (10.0, &[bark(2.3)], "A dog barks at 0:02."),
            (1.0, &[("Bark", 0.0, 1.0)], "A dog barks."),
            (
                90.0,
                &[bark(2.0), bark(9.0), bark(20.0), bark(30.0), bark(40.0), bark(62.0)],
                "A dog barks 6 times between 0:02 and 1:02.",
            ),
            (60.0, &[("Music", 0.0, 60.0)], "Music plays throughout."),
            (60.0, &[("Music", 5.0, 50.0)], "Music plays most of the time."),
            (60.0, &[("Music", 0.0, 20.0)], "Music plays until 0:20."),
            (60.0, &[("Music", 40.0, 60.0)], "Music plays from 0:40 on."),
            (60.0, &[("Chirp, tweet", 40.0, 50.0)], "A bird chirps from 0:40 to 0:50."),
            (
                60.0,
                &[("Chirp, tweet", 0.0, 60.0), ("Wind", 0.0, 60.0)],
                "Birds chirp and the wind blows throughout.",
            ),
            (
                60.0,
                &[("Music", 5.0, 10.0), ("Music", 20.0, 30.0)],
                "Music plays from 0:05 to 0:10 and from 0:20 to 0:30.",
            ),
            (60.0, &[("Creak", 5.0, 6.0), ("Creak", 20.0, 21.0)], "Something creaks at 0:05 and 0:20."),
            (
                20.0,
                &[
                    ("Telephone bell ringing", 2.0, 3.3),
                    ("Church bell", 5.5, 9.1),
                    ("Siren", 11.0, 14.2),
                    ("Speech", 16.0, 19.05),
                ],
                "A telephone rings at 0:02, a church bell tolls from 0:05 to 0:09, a siren sounds from 0:11 to 0:14, \
                 and someone speaks from 0:16 to 0:19.",
            ),
            (7300.0, &[("Thunder", 3723.0, 3724.0)], "Thunder rumbles at 1:02:03."),
            (10.0, &[("Unknown Thing", 2.0, 3.0)], "“Unknown Thing” is heard at 0:02."),
            (
                10.0,
                &[("Inside, small room", 0.0, 10.0)],
                "Nothing is recognised for certain; the nearest class is “Tick” (0.18).",
            ),
        ];
        for (duration_s, events, expected) in cases {
            assert_eq!(says(duration_s, events), expected);
        }
    }

    #[test]
    fn one_sound_is_said_once() {
        // Narrower and broader names at the same time, and other names of one sort.
        let events =
            [("Dog", 0.0, 9.0), ("Bark", 1.0, 2.0), ("Siren", 3.0, 5.0), ("Ambulance (siren)", 3.0, 4.9)];
        assert_eq!(says(9.0, &events), "A siren sounds at 0:03 while a dog is heard throughout.");
        // The same sort at different times is two sounds.
        let speakers = [("Male speech, man speaking", 0.0, 4.0), ("Female speech, woman speaking", 5.0, 8.5)];
        assert_eq!(says(9.0, &speakers), "A man speaks until 0:04 and a woman speaks from 0:05 to 0:08.");
    }

    #[test]
    fn at_most_five_sounds_are_said_the_most_certain_first() {
        let classes = ["Bark", "Meow", "Rain", "Music", "Siren", "Thunder", "Sneeze"];
        let events: Vec<SoundEvent> = classes
            .iter()
            .enumerate()
            .map(|(i, class)| event(class, 2.0 * i as f64, 2.0 * i as f64 + 1.0, 0.9 - 0.05 * i as f32))
            .collect();
        let text = with(30.0, &LEVEL, &[], &events);
        assert!(
            text.contains("a siren sounds") && !text.contains("thunder") && !text.contains("sneezes"),
            "{text}"
        );
        let doubtful = [event("Rain", 0.0, 9.0, 0.95), event("Bark", 1.0, 2.0, 0.25)];
        assert_eq!(with(9.0, &LEVEL, &[], &doubtful), "It rains throughout.");
        assert_eq!(with(9.0, &LEVEL, &[], &doubtful[1..]), "Perhaps a dog barks at 0:01.");
    }

    #[test]
    fn silence_is_said_where_there_is_much_of_it() {
        let bark = [event("Bark", 1.0, 2.0, 0.8)];
        let cases: [(&[(f64, f64)], &str); 6] = [
            (&[(8.0, 9.0)], "A dog barks at 0:01."),
            (&[(3.0, 10.0)], "A dog barks at 0:01, with silence from 0:03 on."),
            (&[(3.0, 9.0)], "A dog barks at 0:01, with silence from 0:03 to 0:09."),
            (&[(0.0, 4.0)], "A dog barks at 0:01, after silence until 0:04."),
            (&[(2.0, 5.0), (6.0, 9.0)], "A dog barks at 0:01, with silence for 60 % of the time."),
            (&[(0.0, 10.0)], "A dog barks at 0:01, all of it nearly silent."),
        ];
        for (silent, expected) in cases {
            assert_eq!(with(10.0, &LEVEL, silent, &bark), expected);
        }
        assert_eq!(with(10.0, &LEVEL, &[(0.0, 10.0)], &[]), "Nearly silent throughout.");
    }

    #[test]
    fn levels_are_said_where_they_matter() {
        let bark = [event("Bark", 1.0, 2.0, 0.8)];
        let digital = Level { peak_dbfs: None, rms_dbfs: None, ..LEVEL };
        assert_eq!(with(10.0, &digital, &[(0.0, 10.0)], &[]), "There is nothing but digital silence.");
        let clipped = Level { clipped_share: 0.02, ..LEVEL };
        assert_eq!(with(10.0, &clipped, &[], &bark), "A dog barks at 0:01; the recording is clipped.");
        let quiet = Level { rms_dbfs: Some(-55.0), ..LEVEL };
        assert_eq!(with(10.0, &quiet, &[], &bark), "A dog barks at 0:01; the recording is very quiet.");
    }

    proptest::proptest! {
        /// Whatever is heard, the sentence is one sentence without odd spaces.
        #[test]
        fn any_events_make_a_sentence(
            heard in proptest::collection::vec((0..12_usize, 0.0..100.0_f64, 0.05..50.0_f64, 0.2..1.0_f32), 0..12),
            duration_s in 0.1..200.0_f64,
        ) {
            let classes = [
                "Bark", "Rain", "Speech", "Music", "Chirp, tweet", "Sound effect", "Noise", "Inside, small room",
                "Church bell", "unknown", "Animal", "Siren",
            ];
            let mut events: Vec<SoundEvent> = heard
                .iter()
                .map(|(class, onset, length, score)| {
                    let onset_s = onset.min(duration_s * 0.9);
                    event(classes[*class], onset_s, (onset_s + length).min(duration_s), *score)
                })
                .collect();
            events.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s));
            let text = with(duration_s, &LEVEL, &[], &events);
            proptest::prop_assert!(text.ends_with('.') && !text.contains("  ") && !text.contains(" ,"), "{}", text);
            proptest::prop_assert!(!text.chars().next().unwrap().is_lowercase(), "{}", text);
            proptest::prop_assert!(!text.contains(" .") && !text.contains("..") && !text.contains("  "), "{}", text);
        }
    }
}

//! [`Remarks`]: what a user should know about how a file was read.

use std::fmt;

use serde::{Serialize, Serializer};

/// Stretches that are listed; the others are counted.
const MAX_STRETCHES: usize = 100;

/// Stretches less apart than this are one, in seconds.
const NEAR_S: f64 = 0.1;

/// Why there is silence where the file has no sound, or not the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// Bytes that cannot be decoded.
    Damaged,
    /// The time stamps leave it out.
    Gap,
    /// The sound starts later than the file.
    LateStart,
}

/// Silence put in so that what follows keeps its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Why.
    pub why: Missing,
    /// Seconds from the start.
    pub start_s: f64,
    /// Seconds from the start.
    pub end_s: f64,
}

/// Stretches that are not listed, because there are too many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unlisted {
    /// How many.
    pub count: u64,
    /// The last of them.
    pub last: Stretch,
    /// Where the first of them starts, in seconds.
    pub start_s: f64,
}

/// What a user should know about how a file was read. Empty for a file that was read as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remarks {
    /// The file stops before its end.
    pub truncated: bool,
    /// All samples are zero.
    pub silent: bool,
    /// Silence that was put in, in order: the first hundred stretches.
    pub missing: Vec<Stretch>,
    /// The stretches after those.
    pub unlisted: Option<Unlisted>,
    /// Packets that could not be decoded.
    pub skipped_packets: u64,
    /// Time stamps that leave out more than is filled with silence: what follows is this much too early,
    /// in seconds.
    pub unfilled_s: f64,
    /// The channels cancel each other out, so that the loudest was used instead of their mean, for so many
    /// seconds.
    pub antiphase_s: f64,
    /// Floating-point samples have the range of integers, and were multiplied by this.
    pub rescaled: Option<f32>,
    /// Other sample rates in the file, which were converted to its first, in Hz.
    pub other_rates: Vec<u32>,
    /// The codec of the track that players would play, which cannot be decoded: another track was read.
    pub passed_over: Option<String>,
    /// The edit list shows things twice or out of order, and was left out of account.
    pub edits_ignored: bool,
    /// The header counts only so much sound, in seconds, and more was read: all that comes behind.
    pub header_s: Option<f64>,
}

impl Remarks {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn add_missing(&mut self, why: Missing, start_s: f64, end_s: f64) {
        let last = self.unlisted.as_mut().map(|unlisted| &mut unlisted.last).or(self.missing.last_mut());
        if let Some(last) = last.filter(|last| last.why == why && start_s - last.end_s < NEAR_S) {
            last.end_s = last.end_s.max(end_s);
            return;
        }
        let stretch = Stretch { why, start_s, end_s };
        if self.missing.len() < MAX_STRETCHES {
            self.missing.push(stretch);
            return;
        }
        let (count, start_s) =
            self.unlisted.map_or((0, start_s), |unlisted| (unlisted.count, unlisted.start_s));
        self.unlisted = Some(Unlisted { count: count + 1, last: stretch, start_s });
    }

    /// One sentence for each remark, without the file's name.
    pub fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        for Stretch { why, start_s, end_s } in &self.missing {
            said.push(match why {
                Missing::Damaged => {
                    format!("damaged from {start_s:.2} to {end_s:.2} s; silence is in its place")
                }
                Missing::Gap => format!(
                    "no sound from {start_s:.2} to {end_s:.2} s by its time stamps; silence is in its place"
                ),
                Missing::LateStart => format!("its sound starts at {end_s:.2} s; silence comes before it"),
            });
        }
        if let Some(Unlisted { count, last, start_s }) = self.unlisted {
            let stretches = if count == 1 { "stretch" } else { "stretches" };
            said.push(format!(
                "{count} more {stretches} of silence put in between {start_s:.2} and {:.2} s",
                last.end_s
            ));
        }
        if self.skipped_packets > 0 {
            said.push(format!("{} packets could not be decoded", self.skipped_packets));
        }
        if self.unfilled_s > 0.0 {
            said.push(format!(
                "its time stamps jump by {:.0} s, which is too long to fill with silence; times after the jump \
                 are of the sound alone",
                self.unfilled_s
            ));
        }
        if self.truncated {
            said.push("ends before its header says, as if it were cut off".to_owned());
        }
        if self.silent {
            said.push("all its samples are zero".to_owned());
        }
        if self.antiphase_s > 0.0 {
            said.push(format!(
                "its channels cancel each other out for {:.2} s; the loudest channel is used there",
                self.antiphase_s
            ));
        }
        if let Some(factor) = self.rescaled {
            said.push(format!(
                "its floating-point samples have the range of integers; divided by {:.0}",
                1.0 / factor
            ));
        }
        if !self.other_rates.is_empty() {
            let rates: Vec<String> = self.other_rates.iter().map(|rate| format!("{rate} Hz")).collect();
            said.push(format!("its sample rate changes (to {}); converted to the first", rates.join(", ")));
        }
        if let Some(codec) = &self.passed_over {
            said.push(format!("its main track ({codec}) cannot be decoded; another track was read"));
        }
        if self.edits_ignored {
            said.push(
                "its edit list repeats or reorders sound; all of it is heard once, in order".to_owned(),
            );
        }
        if let Some(seconds) = self.header_s {
            said.push(format!(
                "its header counts {seconds:.2} s of sound; what follows is read as sound, too"
            ));
        }
        said
    }
}

impl fmt::Display for Remarks {
    /// The sentences, joined by "; ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences().join("; "))
    }
}

impl Serialize for Remarks {
    /// The sentences.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.sentences())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_beyond_the_listed_are_counted_and_not_joined() {
        let mut remarks = Remarks::default();
        for n in 0..134 {
            let why = if n % 2 == 0 { Missing::Damaged } else { Missing::Gap };
            let start_s = f64::from(n);
            remarks.add_missing(why, start_s, start_s + 0.02);
            remarks.add_missing(why, start_s + 0.05, start_s + 0.07);
        }
        assert_eq!(remarks.missing.len(), MAX_STRETCHES);
        assert!(remarks.missing.iter().all(|stretch| stretch.end_s - stretch.start_s < 0.1));
        let said = remarks.sentences();
        assert_eq!(said.len(), MAX_STRETCHES + 1);
        assert_eq!(said[MAX_STRETCHES], "34 more stretches of silence put in between 100.00 and 133.07 s");
    }
}

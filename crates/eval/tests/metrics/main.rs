//! Figures against those of scikit-learn, SciPy and sed_eval (`tests/fixtures/eval/reference.py`).

#![allow(clippy::unwrap_used)]

mod reference;

use earmark_eval::metrics::{self, Caption, Event, MetricError, Recording};
use earmark_eval::report::{ClassResult, Interval, ReliabilityBin, RetrievalDirection};
use reference::{Class, Direction, reference};

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{prefix}{i}")).collect()
}

#[track_caller]
fn near(what: &str, ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() <= 1e-9, "{what}: {ours} instead of {theirs}");
}

#[track_caller]
fn same_option(what: &str, ours: Option<f64>, theirs: Option<f64>) {
    assert_eq!(ours.is_some(), theirs.is_some(), "{what}: {ours:?} instead of {theirs:?}");
    near(what, ours.unwrap_or(0.0), theirs.unwrap_or(0.0));
}

#[track_caller]
fn same_interval(what: &str, ours: Interval, theirs: Interval) {
    near(what, ours.value, theirs.value);
    near(what, ours.low, theirs.low);
    near(what, ours.high, theirs.high);
}

#[track_caller]
fn same_classes(ours: &[ClassResult], theirs: &[Class]) {
    assert_eq!(ours.len(), theirs.len());
    for (a, b) in ours.iter().zip(theirs) {
        assert_eq!(a.support, b.support, "support of {}", a.name);
        near(&a.name, a.precision, b.precision);
        near(&a.name, a.recall, b.recall);
        near(&a.name, a.f1, b.f1);
        same_option(&a.name, a.average_precision, b.average_precision);
        same_option(&a.name, a.auc, b.auc);
    }
}

#[track_caller]
fn same_bins(ours: &[ReliabilityBin], theirs: &[ReliabilityBin]) {
    assert_eq!(ours.len(), theirs.len());
    for (a, b) in ours.iter().zip(theirs) {
        assert_eq!(a.count, b.count);
        near("confidence", a.confidence, b.confidence);
        near("accuracy", a.accuracy, b.accuracy);
    }
}

#[test]
fn one_label_a_clip() {
    for case in reference().single {
        let classes = names("class", case.classes.len());
        let clips = names("clip", case.truth.len());
        let ours =
            metrics::classification(&classes, &clips, &case.probabilities, &case.truth, Some(&case.folds))
                .unwrap();
        same_interval("top-1", ours.accuracy.top1, case.top1);
        assert_eq!(ours.accuracy.top5.is_some(), case.top5.is_some());
        if let (Some(a), Some(b)) = (ours.accuracy.top5, case.top5) {
            same_interval("top-5", a, b);
        }
        near("balanced accuracy", ours.balanced_accuracy, case.balanced_accuracy);
        assert_eq!(ours.confusion, case.confusion);
        same_classes(&ours.classes, &case.classes);
        near("Brier", ours.calibration.brier, case.brier);
        near("NLL", ours.calibration.nll, case.nll);
        near("ECE", ours.calibration.ece, case.ece);
        same_bins(&ours.calibration.bins, &case.bins);
        assert_eq!(ours.folds.len(), case.fold_accuracies.len());
        ours.folds.iter().zip(&case.fold_accuracies).for_each(|(a, b)| near("fold", *a, *b));

        let own: Vec<f64> = ours.worst.iter().map(|c| c.expected_probability).collect();
        let doubtful = case.probabilities.iter().zip(&case.truth).filter(|(row, own)| {
            row[**own] < 0.5 || row.iter().enumerate().any(|(class, &p)| p > row[**own] && class != **own)
        });
        let mut expected: Vec<f64> = doubtful.map(|(row, &own)| f64::from(row[own])).collect();
        expected.sort_by(f64::total_cmp);
        expected.truncate(metrics::WORST);
        assert_eq!(own, expected);
    }
}

#[test]
fn several_labels_a_clip() {
    for case in reference().multi {
        let classes = names("class", case.classes.len());
        let clips = names("clip", case.truth.len());
        let ours =
            metrics::multi_label(&classes, &clips, &case.probabilities, &case.truth, case.threshold).unwrap();
        near("macro mAP", ours.macro_map.value, case.macro_map);
        assert!(ours.macro_map.low <= case.macro_map && case.macro_map <= ours.macro_map.high);
        same_option("macro AUC", ours.macro_auc, case.macro_auc);
        same_option("d'", ours.d_prime, case.d_prime);
        same_classes(&ours.classes, &case.classes);
        near("Brier", ours.calibration.brier, case.brier);
        near("NLL", ours.calibration.nll, case.nll);
        near("ECE", ours.calibration.ece, case.ece);
        same_bins(&ours.calibration.bins, &case.bins);
        // The listed clips are those whose labels rank lowest, up to rounding; clips without a label are not listed.
        let quality = |name: &str| case.label_ranking[clips.iter().position(|c| c == name).unwrap()];
        let listed: Vec<f64> = ours.worst.iter().map(|c| quality(&c.path)).collect();
        let mut all: Vec<f64> = case
            .label_ranking
            .iter()
            .zip(&case.truth)
            .filter_map(|(&v, labels)| (!labels.is_empty()).then_some(v))
            .collect();
        all.sort_by(f64::total_cmp);
        assert_eq!(listed.len(), all.len().min(metrics::WORST));
        listed.iter().zip(&all).for_each(|(a, b)| near("worst", *a, *b));
        let again = metrics::macro_map(&case.probabilities, &case.truth).unwrap();
        assert_eq!(again, ours.macro_map, "the bootstrap is seeded");
    }
}

#[track_caller]
fn same_direction(ours: &RetrievalDirection, theirs: &Direction) {
    near("R@1", ours.r1.value, theirs.r1);
    near("R@5", ours.r5.value, theirs.r5);
    near("R@10", ours.r10.value, theirs.r10);
    near("mAP@10", ours.map10, theirs.map10);
    near("median rank", ours.median_rank, theirs.median_rank);
    assert_eq!(ours.queries, theirs.queries);
}

#[test]
fn captions_and_clips() {
    for case in reference().retrieval {
        let clips = names("clip", case.clips);
        let captions: Vec<Caption> = case
            .owner
            .iter()
            .enumerate()
            .map(|(i, &clip)| Caption { text: format!("caption {i}"), clip })
            .collect();
        let ours = metrics::retrieval(&clips, &captions, &case.scores).unwrap();
        same_direction(&ours.text_to_audio, &case.text_to_audio);
        same_direction(&ours.audio_to_text, &case.audio_to_text);
        assert!(ours.worst.is_sorted_by(|a, b| a.rank >= b.rank));
        // Captions of one clip are one observation, so the interval is that of as many clips.
        let r1 = ours.text_to_audio.r1;
        let asking = ours.audio_to_text.queries;
        let hits = (r1.value * asking as f64).floor() as usize;
        assert!(r1.low >= metrics::wilson(hits, asking).low - 1e-12);
        assert!(r1.high <= metrics::wilson(hits + 1, asking).high + 1e-12);
    }
}

#[test]
fn a_tie_is_never_in_favour() {
    let clips = names("clip", 4);
    let captions: Vec<Caption> = (0..4).map(|clip| Caption { text: String::new(), clip }).collect();
    let ours = metrics::retrieval(&clips, &captions, &vec![vec![0.5; 4]; 4]).unwrap();
    assert_eq!((ours.text_to_audio.r1.value, ours.text_to_audio.median_rank), (0.0, 4.0));
    assert_eq!((ours.audio_to_text.r1.value, ours.audio_to_text.median_rank), (0.0, 4.0));
}

#[test]
fn when_something_is_heard() {
    for case in reference().events {
        let event = |&(class, onset_s, offset_s): &(usize, f64, f64)| Event { class, onset_s, offset_s };
        let recordings: Vec<Recording> = case
            .recordings
            .iter()
            .enumerate()
            .map(|(i, scene)| Recording {
                name: format!("{i}.wav"),
                duration_s: 60.0,
                expected: scene.expected.iter().map(event).collect(),
                found: scene.found.iter().map(event).collect(),
            })
            .collect();
        let ours = metrics::events(&names("c", case.classes.len()), &recordings).unwrap();
        same_classes(&ours.classes, &case.classes);
        near("event F1", ours.event_f1, case.event_f1);
        near("event F1, macro", ours.event_f1_macro, case.event_f1_macro);
        near("segment F1", ours.segment_f1, case.segment_f1);
        near("segment F1, macro", ours.segment_f1_macro, case.segment_f1_macro);
        near("error rate", ours.error_rate, case.error_rate);
        assert!(ours.worst.is_sorted_by(|a, b| a.segment_f1 <= b.segment_f1));
    }
}

fn of(duration_s: f64, expected: Vec<Event>, found: Vec<Event>) -> Recording {
    Recording { name: "a".into(), duration_s, expected, found }
}

#[test]
fn an_event_is_found_by_overlap_by_its_onset_or_falsely() {
    let event = |class, onset_s, offset_s| Event { class, onset_s, offset_s };
    let figures = |expected: Vec<Event>, found: Vec<Event>| {
        let ours = metrics::events(&names("c", 2), &[of(1800.0, expected, found)]).unwrap();
        (ours.overlap_f1, ours.onset_f1, ours.false_alarms_per_hour)
    };
    let truth = vec![event(0, 10.0, 12.0), event(0, 20.0, 21.0), event(1, 30.0, 40.0)];
    assert_eq!(figures(truth.clone(), truth.clone()), (1.0, 1.0, 0.0));
    assert_eq!(figures(truth.clone(), vec![]), (0.0, 0.0, 0.0));
    // Touching is no overlap; an onset may be 0.5 s off, and its event need not overlap.
    let (overlap, onset, false_alarms) = figures(truth.clone(), vec![event(0, 9.5, 10.0)]);
    near("overlap F1", overlap, 0.0);
    near("onset F1", onset, 2.0 / 4.0);
    near("false alarms", false_alarms, 2.0);
    // Late by 0.51 s, but within its time.
    let (overlap, onset, false_alarms) = figures(truth.clone(), vec![event(1, 30.51, 33.0)]);
    near("overlap F1", overlap, 2.0 / 4.0);
    near("onset F1", onset, 0.0);
    near("false alarms", false_alarms, 0.0);
    // The second piece of an event, one of another class, and one event over two of the truth.
    let pieces = vec![event(1, 30.0, 33.0), event(1, 35.0, 40.0), event(0, 36.0, 37.0), event(0, 10.0, 21.0)];
    let (overlap, onset, false_alarms) = figures(truth, pieces);
    near("overlap F1", overlap, 4.0 / 7.0);
    near("onset F1", onset, 4.0 / 7.0);
    near("false alarms", false_alarms, 4.0);
    // The hours of all recordings count, silent ones too.
    let (expected, alarm) = (vec![event(0, 1.0, 2.0)], vec![event(0, 5.0, 6.0)]);
    let recordings = [of(900.0, expected, vec![]), of(2700.0, vec![], alarm)];
    near("false alarms", metrics::events(&names("c", 1), &recordings).unwrap().false_alarms_per_hour, 1.0);
}

#[test]
fn a_wrong_time_costs_nothing() {
    let event = |offset_s| Event { class: 0, onset_s: 0.0, offset_s };
    let recording = of(3600.0, vec![event(1.0)], vec![event(1e300)]);
    let ours = metrics::events(&names("c", 1), &[recording]).unwrap();
    assert!(ours.segment_f1 < 1e-9 && ours.event_f1 == 0.0);
}

#[test]
fn d_prime_of_areas() {
    for (p, z) in reference().probit {
        let ours = metrics::d_prime(p).unwrap();
        near("d'", ours, std::f64::consts::SQRT_2 * z);
    }
    assert_eq!((metrics::d_prime(1.0), metrics::d_prime(0.0)), (None, None));
}

#[test]
fn what_does_not_fit_is_refused() {
    let none: [Vec<f32>; 0] = [];
    assert!(matches!(metrics::accuracy(&none, &[]), Err(MetricError::Empty(_))));
    let row = [vec![0.1_f32, 0.9]];
    assert!(matches!(metrics::accuracy(&row, &[0, 1]), Err(MetricError::Length { expected: 2, .. })));
    assert!(matches!(metrics::accuracy(&row, &[2]), Err(MetricError::OutOfRange { received: 2, .. })));
    assert!(matches!(metrics::accuracy(&[vec![f32::NAN, 0.0]], &[0]), Err(MetricError::NotFinite { .. })));
    assert!(matches!(metrics::macro_map(&row, &[vec![]]), Err(MetricError::Empty(_))));
    let silent = of(3600.0, vec![], vec![]);
    assert!(matches!(metrics::events(&names("c", 1), &[silent]), Err(MetricError::Empty(_))));
    let odd = Event { class: 0, onset_s: f64::NAN, offset_s: 1.0 };
    let recording = Recording { name: "odd.wav".into(), ..of(3600.0, vec![odd], vec![]) };
    let error = metrics::events(&names("c", 1), &[recording]).unwrap_err();
    assert!(error.to_string().contains("odd.wav"), "{error}");
}

#[test]
fn an_answer_is_right_only_if_it_is_given() {
    let rows = vec![vec![0.6, 0.2], vec![0.3, 0.1], vec![0.2, 0.7], vec![0.1, 0.2]];
    let answers = metrics::answers(&rows, &[0, 0, 0, 1], &[true, false, true, true]).unwrap();
    near("right", answers.right.value, 0.5);
    near("none", answers.none, 0.25);
    assert!(metrics::answers(&rows, &[0, 0, 0, 1], &[true]).is_err());
}

//! Against scikit-learn and SciPy (tests/fixtures/fit/reference.py), and on clips of which all is known.

use serde::Deserialize;

use super::calibrate::{best_f1, losses, platt, softmax_factor, threshold};
use super::logistic::{Linear, Problem, train};
use super::rows::{Rows, softmax};
use super::*;
use crate::classify::{Decision, read};
use crate::random::Random;
use crate::readout::Readout;

#[derive(Deserialize)]
struct Reference {
    clips: Vec<Vec<f64>>,
    truth: Vec<usize>,
    offsets: Vec<Vec<f64>>,
    balanced: Vec<f64>,
    regressions: Vec<Regression>,
    with_offsets: Coefficients,
    logits: Vec<Vec<f64>>,
    temperature: Temperature,
    platt: Platt,
    best_f1: f64,
}

#[derive(Deserialize)]
struct Regression {
    strength: f64,
    weights: Vec<f64>,
    probabilities: Vec<Vec<f64>>,
    coefficients: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Coefficients {
    strength: f64,
    coefficients: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Temperature {
    factor: f64,
    log_loss: f64,
}

#[derive(Deserialize)]
struct Platt {
    slope: f64,
    bias: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../../../tests/fixtures/fit/reference.json")).unwrap()
}

fn rows(rows: &[Vec<f64>]) -> Rows {
    Rows::of(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < tolerance, "{found:?}\n{expected:?}");
    }
}

fn learn(reference: &Reference, strength: f64, weights: &[f64], offsets: &Rows) -> Linear {
    let clips = rows(&reference.clips);
    let members: Vec<usize> = (0..clips.len()).collect();
    let problem =
        Problem { rows: &clips, offsets, truth: &reference.truth, weights, members: &members, classes: 3 };
    train(&problem, strength, lbfgs::Until { tolerance: 1e-8, iterations: 1000 }, None)
}

#[test]
fn logistic_regression_is_that_of_scikit_learn() {
    let reference = reference();
    let none = Rows::zeros(reference.clips.len(), 3);
    for case in &reference.regressions {
        let linear = learn(&reference, case.strength, &case.weights, &none);
        close(
            &linear.weights.iter().flatten().copied().collect::<Vec<_>>(),
            &case.coefficients.concat(),
            1e-4,
        );
        for (clip, expected) in reference.clips.iter().zip(&case.probabilities) {
            let mut logits = vec![0.0; 3];
            linear.add_logits(clip, &mut logits);
            softmax(&mut logits);
            close(&logits, expected, 1e-5);
        }
    }
    let ones = vec![1.0; reference.clips.len()];
    let case = &reference.with_offsets;
    let linear = learn(&reference, case.strength, &ones, &rows(&reference.offsets));
    close(&linear.weights.iter().flatten().copied().collect::<Vec<_>>(), &case.coefficients.concat(), 1e-4);
}

#[test]
fn calibration_is_that_of_scikit_learn() {
    let reference = reference();
    let logits = rows(&reference.logits);
    let factor = softmax_factor(&logits, &reference.truth, &reference.balanced);
    assert!((factor - reference.temperature.factor).abs() < 1e-5, "{factor}");
    let loss = losses(&logits, &reference.truth, &reference.balanced, factor).iter().sum::<f64>() / 23.0;
    assert!((loss - reference.temperature.log_loss).abs() < 1e-7, "{loss}");

    let scores: Vec<f64> = logits.iter().map(|row| row[0]).collect();
    let positive: Vec<bool> = reference.truth.iter().map(|&class| class == 0).collect();
    let sigmoid = platt(&scores, &positive).unwrap();
    close(&[sigmoid.slope, sigmoid.bias], &[reference.platt.slope, reference.platt.bias], 1e-4);
    let ranges = best_f1(&scores, &positive);
    let called = |i: &usize| scores[*i] >= f64::midpoint(ranges[0].0, ranges[0].1);
    let hits = (0..scores.len()).filter(called).filter(|&i| positive[i]).count();
    let all = (0..scores.len()).filter(called).count() + positive.iter().filter(|&&p| p).count();
    assert!((2.0 * hits as f64 / all as f64 - reference.best_f1).abs() < 1e-9);
}

#[test]
fn a_threshold_is_a_half_unless_the_clips_speak_against_it() {
    let sigmoid = calibrate::Sigmoid { slope: 1.0, bias: 0.0 };
    let positive = [true, true, false, false];
    let ranges = best_f1(&[3.0, 1.0, -1.0, -2.0], &positive);
    assert_eq!(ranges, [(-1.0, 1.0)]);
    assert_eq!(threshold(sigmoid, &ranges), Some(0.5));
    let low = threshold(sigmoid, &best_f1(&[-1.0, -2.0, -3.0, -4.0], &positive)).unwrap();
    assert!(sigmoid.probability(-3.0) < low && low < sigmoid.probability(-2.0), "{low}");
    assert_eq!(threshold(sigmoid, &best_f1(&[1.0, 2.0], &[false, false])), None);
}

#[test]
fn scores_that_mean_the_opposite_give_no_sigmoid() {
    assert_eq!(platt(&[0.1, 0.2, 0.8, 0.9], &[true, true, false, false]), None);
    assert_eq!(platt(&[0.1, 0.2], &[true, true]), None);
    let apart = platt(&[0.1, 0.2, 0.8, 0.9], &[false, false, true, true]).unwrap();
    assert!(apart.probability(0.9) < 0.9, "four clips are not enough to be sure: {apart:?}");
}

/// Clips around the first axes, one a class; every fourth number differs from clip to clip.
fn clips(per_class: &[usize], noise: f32) -> (Vec<Embedding>, Vec<usize>) {
    let truth: Vec<usize> =
        per_class.iter().enumerate().flat_map(|(class, &n)| std::iter::repeat_n(class, n)).collect();
    let vector = |(i, &class): (usize, &usize)| {
        let value = |axis: usize| {
            ((i * 7 + axis * 13) as f32 * 0.731).sin() * noise + f32::from(u8::from(axis == class))
        };
        Embedding::from_values((0..12).map(value).collect(), "m", "x").unwrap()
    };
    (truth.iter().enumerate().map(vector).collect(), truth)
}

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("class {i}")).collect()
}

const SCORES: Scores = Scores {
    logit_scale: Some(10.0),
    calibrated: true,
    none_similarity: Some(0.2),
    min_similarity: 0.1,
    multi_scale: 10.0,
    multi_bias: -4.0,
    familiarity: None,
    likelihood: None,
};

#[test]
fn a_head_knows_its_classes_and_what_is_none_of_them_on_any_number_of_threads() {
    let (vectors, truth) = clips(&[8, 6, 9], 0.25);
    let names = names(3);
    let labelled = Labelled { vectors: &vectors, truth: &truth, names: &names, texts: None };
    for method in [Method::Prototypes, Method::Linear, Method::Auto] {
        let options = FitOptions { method, ..Default::default() };
        let fitted = fit(&labelled, &SCORES, &options).unwrap();
        assert_eq!(fitted.held_out.len(), 23);
        let right = fitted.held_out.iter().filter(|one| one.probabilities[truth[one.clip]] > 0.5).count();
        assert!(right >= 21, "{method:?}: {right} of 23");
        assert_eq!(fitted.head.problem(12), None);
        let labels = fitted.head.encoded(None, "m").unwrap();
        let answer = |clip: &Embedding| {
            let cosines: Vec<f32> = labels.vectors.iter().map(|l| l.cosine(clip)).collect();
            read(&labels.readout, &cosines, Decision::Single { threshold: None })
        };
        assert!(vectors.iter().zip(&truth).filter(|(v, t)| answer(v).scores[0].label == **t).count() >= 22);
        let other =
            Embedding::from_values((0..12).map(|i| f32::from(u8::from(i == 9))).collect(), "m", "x").unwrap();
        assert_eq!(answer(&other).accepted, 0, "{method:?}: {:?}", answer(&other));
        let threaded = fit(&labelled, &SCORES, &FitOptions { threads: 3, ..options.clone() }).unwrap();
        assert_eq!((&threaded.head, &threaded.held_out), (&fitted.head, &fitted.held_out));
    }
}

#[test]
fn a_head_that_loses_on_the_first_of_many_clips_is_not_tried_on_the_others() {
    let (vectors, truth) = clips(&[400, 400], 0.3);
    let slices: Vec<&[f32]> = vectors.iter().map(Embedding::as_slice).collect();
    // Labels without a meaning: a weak penalty only learns the noise.
    let truth: Vec<usize> = (0..truth.len()).map(|i| (i * i / 7) % 2).collect();
    let material = Material::new(Rows::of(&slices), None, &SCORES, (&truth, 2), true);
    let all: Vec<usize> = (0..800).collect();
    let (seen, unseen) = all.split_at(400);
    let candidates = Candidate::all(true, true, Some(0.0));
    let logits = material.logits(&candidates, seen, unseen);
    let tried: Vec<(Candidate, Rows)> = candidates.into_iter().zip(logits).collect();
    let kept = select::finalists(select::judge(&material, &tried, unseen));
    assert!(matches!(kept[..], [Candidate::Prototypes { .. }]), "{kept:?}");
}

#[test]
fn held_out_clips_are_answered_by_a_limit_that_has_not_seen_them() {
    let (mut vectors, mut truth) = clips(&[12, 12], 0.2);
    // One that is nothing of the kind, whatever its label says.
    let far = (0..12).map(|axis| f32::from(u8::from(axis == 9))).collect();
    vectors.push(Embedding::from_values(far, "m", "x").unwrap());
    truth.push(0);
    let names = names(2);
    let labelled = Labelled { vectors: &vectors, truth: &truth, names: &names, texts: None };
    let options = FitOptions { method: Method::Prototypes, ..Default::default() };
    let fitted = fit(&labelled, &SCORES, &options).unwrap();
    let none: Vec<usize> = fitted.held_out.iter().filter(|one| one.none).map(|one| one.clip).collect();
    assert_eq!(none, [24]);
}

#[test]
fn clips_of_a_group_do_not_vouch_for_each_other() {
    let (vectors, truth) = clips(&[8, 8], 0.3);
    let names = names(2);
    let labelled = Labelled { vectors: &vectors, truth: &truth, names: &names, texts: None };
    let groups: Vec<u32> = (0..16).map(|clip| clip % 4).collect();
    let options = FitOptions { groups: Some(groups.clone()), ..Default::default() };
    let fitted = fit(&labelled, &SCORES, &options).unwrap();
    assert!(fitted.held_out.len() == 16 && fitted.head.calibrated);
    assert!(fitted.held_out.iter().all(|one| one.fold == groups[one.clip] as usize));
    let short = FitOptions { groups: Some(vec![1]), ..Default::default() };
    assert!(fit(&labelled, &SCORES, &short).unwrap_err().to_string().contains("16, one a clip"));
}

#[test]
fn it_tells_how_far_it_is() {
    let (vectors, truth) = clips(&[6, 6], 0.3);
    let names = names(2);
    let labelled = Labelled { vectors: &vectors, truth: &truth, names: &names, texts: None };
    let heard = Mutex::new(Vec::new());
    fit_told(&labelled, &SCORES, &FitOptions::default(), &|done, of| heard.lock().unwrap().push((done, of)))
        .unwrap();
    assert_eq!(heard.into_inner().unwrap(), (1..=6).map(|done| (done, 6)).collect::<Vec<_>>());
}

#[test]
fn two_clips_set_no_threshold_of_their_own_and_nothing_is_clearly_better_on_them() {
    let (vectors, truth) = clips(&[2, 2], 0.3);
    let names = names(2);
    let labelled = Labelled { vectors: &vectors, truth: &truth, names: &names, texts: None };
    let fitted = fit(&labelled, &SCORES, &FitOptions::default()).unwrap();
    assert!(fitted.head.lines.iter().all(|line| line.threshold == 0.5), "{:?}", fitted.head.lines);
    assert_eq!(fitted.chosen.method, Method::Prototypes);
}

#[test]
fn text_helps_the_class_with_one_clip_which_is_never_held_out() {
    let (vectors, truth) = clips(&[6, 6, 1], 0.3);
    let names = names(3);
    let text = |class: usize| (0..12).map(|axis| f32::from(u8::from(axis == class))).collect();
    let texts: Vec<Embedding> = (0..3).map(|c| Embedding::from_values(text(c), "m", "x").unwrap()).collect();
    let labelled = Labelled { vectors: &vectors, truth: &truth, names: &names, texts: Some(&texts) };
    let options = FitOptions { method: Method::Prototypes, ..Default::default() };
    let fitted = fit(&labelled, &SCORES, &options).unwrap();
    assert_eq!(fitted.held_out.len(), 12);
    assert!(fitted.held_out.iter().all(|one| one.zero_shot.is_some()));
    assert!(fitted.chosen.text_weight > 0.0, "the texts are perfect: {:?}", fitted.chosen);
    assert!(fitted.head.calibrated);

    let (vectors, truth) = clips(&[1, 1], 0.3);
    let labelled =
        Labelled { vectors: &vectors, truth: &truth, names: &names[..2], texts: Some(&texts[..2]) };
    let options = FitOptions { method: Method::Linear, ..Default::default() };
    let one_shot = fit(&labelled, &SCORES, &options).unwrap();
    assert!(one_shot.held_out.is_empty() && !one_shot.head.calibrated);
    assert_eq!((one_shot.chosen.method, one_shot.chosen.text_weight), (Method::Prototypes, 0.5));
}

#[test]
fn wrong_labels_are_found_and_little_else() {
    let (vectors, truth) = clips(&[12, 12, 12], 0.3);
    let mut given = truth.clone();
    (given[2], given[17], given[30]) = (1, 2, 0);
    let names = names(3);
    let labelled = Labelled { vectors: &vectors, truth: &given, names: &names, texts: None };
    let fitted = fit(&labelled, &SCORES, &FitOptions::default()).unwrap();
    let found = suspects(&fitted.held_out, &given, 3);
    for wrong in [2, 17, 30] {
        let suspect =
            found.iter().find(|s| s.clip == wrong).unwrap_or_else(|| panic!("{wrong} in {found:?}"));
        assert_eq!(suspect.rather, truth[wrong]);
    }
    assert!(found.len() <= 6, "{found:?}");
    let confident: Vec<usize> = found.iter().filter(|s| s.confident).map(|s| s.clip).collect();
    assert!(confident.len() >= 2 && confident.iter().all(|clip| [2, 17, 30].contains(clip)), "{found:?}");
}

#[test]
fn twins_of_a_clip_do_not_vouch_for_it() {
    // Two classes that cannot be told apart, each clip there twice: held out with its twin it must be guessed.
    let (mut vectors, _) = clips(&[10], 1.0);
    vectors.extend(vectors.clone());
    let truth: Vec<usize> = (0..20).map(|i| (i % 10) / 5).collect();
    let names = names(2);
    let labelled = Labelled { vectors: &vectors, truth: &truth, names: &names, texts: None };
    let fitted =
        fit(&labelled, &SCORES, &FitOptions { method: Method::Linear, ..Default::default() }).unwrap();
    let of = |clip: usize| fitted.held_out.iter().find(|one| one.clip == clip).unwrap().fold;
    assert!((0..10).all(|clip| of(clip) == of(clip + 10)));
}

#[test]
fn what_cannot_be_fitted_is_refused_in_words() {
    let (vectors, truth) = clips(&[3, 3], 0.3);
    let names = names(3);
    let refuse = |names: &[String], options: FitOptions| {
        let labelled = Labelled { vectors: &vectors, truth: &truth, names, texts: None };
        fit(&labelled, &SCORES, &options).unwrap_err().to_string()
    };
    assert!(refuse(&names, FitOptions::default()).contains("no clip of `class 2`"));
    assert!(refuse(&names[..1], FitOptions::default()).contains("at least two classes"));
    assert!(refuse(&names[..2], FitOptions { folds: 1, ..Default::default() }).contains("folds"));
    let heavy = FitOptions { text_weight: Some(1.5), ..Default::default() };
    assert!(refuse(&names[..2], heavy).contains("text_weight"));
}

/// Sounds of classes that words describe, as a joint model has them: texts lie together, away from the
/// sounds.
struct World {
    random: Random,
    centres: Vec<Vec<f64>>,
    texts: Vec<Embedding>,
}

impl World {
    /// Numbers of a vector.
    const DIM: usize = 32;

    /// `classes` that have texts, and one more that has none.
    fn new(classes: usize, seed: u64) -> Self {
        let mut world = Self { random: Random::new(seed), centres: Vec::new(), texts: Vec::new() };
        let all_texts = world.direction();
        for class in 0..=classes {
            let centre = world.direction();
            if class < classes {
                let near: Vec<f64> = centre.iter().zip(&all_texts).map(|(c, t)| c + 0.8 * t).collect();
                let text = world.near(&near, 1.2);
                world.texts.push(text);
            }
            world.centres.push(centre);
        }
        world
    }

    /// About normally distributed, with a length of about 1.
    fn direction(&mut self) -> Vec<f64> {
        let mut uniform = || self.random.below(1 << 20) as f64 / f64::from(1 << 20) - 0.5;
        let normal = |_| (0..12).map(|_| uniform()).sum::<f64>() / (Self::DIM as f64).sqrt();
        (0..Self::DIM).map(normal).collect()
    }

    fn near(&mut self, centre: &[f64], noise: f64) -> Embedding {
        let noisy = centre.iter().zip(self.direction()).map(|(c, n)| (c + noise * n) as f32).collect();
        Embedding::from_values(noisy, "m", "x").unwrap()
    }

    /// So many clips of each of the classes `of`, and their classes.
    fn clips(&mut self, of: std::ops::Range<usize>, each: usize) -> (Vec<Embedding>, Vec<usize>) {
        let truth: Vec<usize> = of.flat_map(|class| std::iter::repeat_n(class, each)).collect();
        let centres: Vec<Vec<f64>> = truth.iter().map(|&class| self.centres[class].clone()).collect();
        (centres.iter().map(|centre| self.near(centre, 1.4)).collect(), truth)
    }
}

/// Shares of clips that are answered rightly, and answered "none of these".
fn answered(vectors: &[Embedding], readout: &Readout, clips: &[Embedding], truth: &[usize]) -> (f64, f64) {
    let (mut right, mut none) = (0, 0);
    for (clip, own) in clips.iter().zip(truth) {
        let cosines: Vec<f32> = vectors.iter().map(|label| label.cosine(clip)).collect();
        let answer = read(readout, &cosines, Decision::Single { threshold: None });
        right += usize::from(answer.accepted == 1 && answer.scores[0].label == *own);
        none += usize::from(answer.accepted == 0);
    }
    (right as f64 / clips.len() as f64, none as f64 / clips.len() as f64)
}

#[test]
fn a_fitted_set_answers_at_least_as_well_as_words_with_few_clips_and_still_refuses_what_none_fits() {
    const CLASSES: usize = 10;
    let scores = Scores { none_similarity: Some(0.25), logit_scale: Some(20.0), ..SCORES };
    let names = names(CLASSES);
    for each in [1, 2, 4, 8] {
        let (mut by_words, mut by_set, mut refused) = (0.0, 0.0, 0.0);
        let seeds = 12_u64;
        for seed in 0..seeds {
            let mut world = World::new(CLASSES, seed);
            let (vectors, truth) = world.clips(0..CLASSES, each);
            let (others, own) = world.clips(0..CLASSES, 20);
            let (unknown, _) = world.clips(CLASSES..CLASSES + 1, 50);
            let texts = &world.texts;
            let labelled = Labelled { vectors: &vectors, truth: &truth, names: &names, texts: Some(texts) };
            let fitted = fit(&labelled, &scores, &FitOptions::default()).unwrap();
            let set = fitted.head.encoded(None, "m").unwrap();
            by_words += answered(texts, &Readout::of_model(&scores, CLASSES), &others, &own).0;
            by_set += answered(&set.vectors, &set.readout, &others, &own).0;
            refused += answered(&set.vectors, &set.readout, &unknown, &[usize::MAX; 50]).1;
        }
        let [by_words, by_set, refused] = [by_words, by_set, refused].map(|sum| sum / seeds as f64);
        let told =
            format!("{each} clips a class: words {by_words:.3}, set {by_set:.3}, refused {refused:.3}");
        assert!((0.5..0.7).contains(&by_words) && by_set > by_words + 0.1, "{told}");
        assert!(each == 1 || refused > 0.25, "{told}");
    }
}

#[test]
fn held_out_clips_without_their_own_class_are_refused_and_the_words_are_judged_beside_them() {
    let (vectors, truth) = clips(&[24, 24, 24], 0.2);
    let names = names(3);
    let text = |class: usize| (0..12).map(|axis| f32::from(u8::from(axis == class))).collect();
    let mut texts: Vec<Embedding> =
        (0..2).map(|c| Embedding::from_values(text(c), "m", "x").unwrap()).collect();
    // The words of the last class have nothing to do with it.
    texts.push(Embedding::from_values(text(9), "m", "x").unwrap());
    let labelled = Labelled { vectors: &vectors, truth: &truth, names: &names, texts: Some(&texts) };
    let fitted = fit(&labelled, &SCORES, &FitOptions::default()).unwrap();
    let refused = fitted.held_out.iter().filter(|one| one.none_without_class).count();
    assert!(fitted.held_out.iter().all(|one| !one.none), "{:?}", fitted.held_out);
    assert!(refused >= 65, "{refused} of 72");
    let words_none = |class: usize| {
        let of_class = fitted.held_out.iter().filter(|one| truth[one.clip] == class);
        of_class.filter(|one| one.zero_shot.as_ref().is_some_and(|words| words.none)).count()
    };
    assert!(words_none(0) == 0 && words_none(1) == 0 && words_none(2) >= 14, "{:?}", fitted.held_out);
}

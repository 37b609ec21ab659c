//! Reports as text and as a page. The pages are left in `target/tmp/report-*.html`, to be looked at.

#![allow(clippy::unwrap_used)]

mod samples;
mod well_formed;

use earmark_eval::report::{EvalReport, Results, html, table};

fn page(name: &str, report: &EvalReport) -> String {
    let page = html(report);
    std::fs::write(format!("{}/report-{name}.html", env!("CARGO_TARGET_TMPDIR")), &page).unwrap();
    let elements = well_formed::elements(&page).unwrap();
    // Nothing is loaded but sounds, and only when they are played.
    for e in &elements {
        assert!(!matches!(e.name.as_str(), "link" | "img" | "iframe" | "object" | "embed"), "{e:?}");
        assert!(e.name != "script" || e.attributes.is_empty(), "{e:?}");
        for (attribute, value) in &e.attributes {
            assert!(!attribute.starts_with("on"), "{e:?}");
            match attribute.as_str() {
                "src" => assert!(
                    e.name == "audio" && (value.starts_with("file:///") || value.starts_with("./")),
                    "{e:?}"
                ),
                "href" => {
                    let id = value.strip_prefix('#').unwrap();
                    assert!(page.contains(&format!("id=\"{id}\"")), "{value} leads nowhere");
                }
                _ => {}
            }
        }
    }
    assert!(!page.contains("http://") && !page.contains("https://"));
    page
}

#[test]
fn every_class_figure_and_file_is_on_the_page() {
    let mut report = samples::classification(50, 400);
    (report.protocol.seed, report.protocol.clips_in_dataset) = (Some(7), 2000);
    let page = page("50-classes", &report);
    let Results::Classification(r) = &report.results else { unreachable!() };
    for class in &r.classes {
        assert!(page.contains(&format!("<td class=\"name\">{}</td>", class.name)), "{}", class.name);
    }
    let figures = [format!("{:.1} %", 100.0 * r.accuracy.top1.value), format!("{:.4}", r.calibration.brier)];
    let protocol = [
        "0123abcd",
        "the sound of {}",
        "attention",
        "every 0.49 s",
        "float32",
        "400 of 2\u{202f}000",
        "seed 7",
        "/sounds/names.tsv, BLAKE3 89ab",
        "one label a clip",
    ];
    for text in figures.iter().map(String::as_str).chain(protocol) {
        assert!(page.contains(text), "{text}");
    }
    assert_eq!(page.matches("<audio").count(), r.worst.len());
    let cells: usize = r.confusion.iter().flatten().filter(|&&n| n > 0).count();
    assert_eq!(page.matches("class=\"cell ").count(), cells);
    assert_eq!(page.matches("class=\"point\"").count(), r.calibration.bins.len());
}

#[test]
fn many_classes_show_the_most_confused() {
    let report = samples::classification(500, 3000);
    let page = page("500-classes", &report);
    assert!(page.contains(" of 500 classes: those of the pairs that are confused most"));
    let Results::Classification(r) = &report.results else { unreachable!() };
    let most = |class: &usize| {
        r.confusion[*class].iter().enumerate().filter(|(c, _)| c != class).map(|(_, &n)| n).max()
    };
    let class = (0..r.classes.len()).max_by_key(most).unwrap();
    assert!(
        page.contains(&format!("<title>{}: ", r.classes[class].name)),
        "the most confused one is in the matrix"
    );
    assert!(r.classes.iter().all(|c| page.contains(&c.name)), "the table of classes has all of them");
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn hostile_names_are_only_text() {
    let report = samples::hostile();
    let page = page("hostile", &report);
    // Well-formed, without a script of its own or an attribute that runs (see `page`); and said as it is.
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("file:///sounds/a%22%20onplay%3D%22x%26y%3C%23%3F%3E%25.wav"));
    assert!(page.contains("Its name is not Unicode"));
    let text = table(&report);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert!(text.contains("\\u{1b}[2J"));
}

#[test]
fn all_tasks_have_pages() {
    let listed = [
        (
            "10-classes",
            samples::classification(10, 300),
            vec!["Confusion", "Reliability", "Folds", "Prompts", "answered rightly", ">20.0 %<"],
        ),
        ("multi-label", samples::multi_label(), vec!["macro mAP", "d\u{2032}", "Reliability"]),
        ("retrieval", samples::retrieval(), vec!["mAP@10", "median rank", "its clip at place"]),
        (
            "events",
            samples::events(),
            vec![
                "segment F1",
                "error rate",
                "overlap F1",
                "onset F1",
                "false alarms an hour",
                "what was found",
            ],
        ),
    ];
    for (name, report, texts) in listed {
        let page = page(name, &report);
        for text in texts {
            assert!(page.contains(text), "{name}: {text}");
        }
        let json = serde_json::to_string(&report).unwrap();
        // Numbers may come back changed in their last digit, so the page is compared.
        assert_eq!(page, html(&serde_json::from_str(&json).unwrap()), "{name}: JSON holds all the page says");
    }
}

#[test]
fn text_says_the_protocol_first_and_names_what_was_skipped() {
    let report = samples::classification(10, 300);
    let text = table(&report);
    println!("{text}");
    let order =
        ["Protocol", "Results", "Weakest classes", "Most confused", "Prompts", "1 file was not evaluated"];
    let places: Vec<usize> = order.iter().map(|part| text.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    let right = text.lines().find(|line| line.contains("answered rightly")).unwrap();
    assert!(right.contains("none of these") && text.contains("answered \"none\""), "{text}");
    assert!(text.contains("jazz.00054.wav") && text.contains("no RIFF header"), "{text}");
    let Results::Classification(r) = &report.results else { unreachable!() };
    assert!(text.contains(&format!("{:.1} %", 100.0 * r.accuracy.top1.value)));
}

#[test]
fn what_has_nothing_to_show_shows_nothing() {
    let mut report = samples::classification(2, 4);
    report.skipped.clear();
    report.prompts.clear();
    if let Results::Classification(r) = &mut report.results {
        r.worst.clear();
        r.folds.clear();
        r.calibration.bins.clear();
        r.confusion = vec![vec![2, 0], vec![0, 2]];
    }
    let page = page("small", &report);
    for absent in ["Not evaluated", "id=\"prompts\"", "<audio", "id=\"reliability\"", "id=\"folds\""] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(page.contains("No clip was called by the name of another class"));
    assert!(!table(&report).contains("Most confused"));
}

//! Small trees in each benchmark's own layout, each with a file that is missing. Loading looks at names only, so the sounds are
//! empty files; broken ones are the business of runs.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Dataset, Layout, LoadOptions, Task, Truth, load};

struct Tree(TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, text)| tree.write(name, text));
        tree
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn load(&self, options: &LoadOptions) -> Dataset {
        load(self.path(), options).unwrap()
    }

    /// Loaded as it is told to be, in the layout it is recognised as.
    fn recognised(&self, layout: Layout) -> Dataset {
        let dataset = self.load(&LoadOptions::default());
        assert_eq!(dataset.layout, layout);
        dataset
    }

    fn split(&self, split: &str) -> Dataset {
        self.load(&LoadOptions { split: Some(split.to_owned()), ..LoadOptions::default() })
    }
}

/// What is known of each clip: its file's name, and its classes' names, captions or events.
fn clips(dataset: &Dataset) -> Vec<(String, Vec<String>)> {
    let said = |truth: &Truth| match truth {
        Truth::Labels(labels) => labels.iter().map(|&label| dataset.classes[label].name.clone()).collect(),
        Truth::Captions(captions) => captions.clone(),
        Truth::Events(events) => events
            .iter()
            .map(|e| format!("{} {}-{}", dataset.classes[e.class].name, e.onset_s, e.offset_s))
            .collect(),
    };
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    dataset.clips.iter().map(|clip| (name(&clip.path), said(&clip.truth))).collect()
}

fn named(clips: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |said: &[&str]| said.iter().map(|s| (*s).to_owned()).collect();
    clips.iter().map(|(name, said)| ((*name).to_owned(), owned(said))).collect()
}

fn texts(dataset: &Dataset) -> Vec<&str> {
    dataset.classes.iter().map(|class| class.text.as_str()).collect()
}

/// The one problem there is, which names `file`.
fn only_problem(dataset: &Dataset, file: &str) {
    let [problem] = dataset.problems.as_slice() else { panic!("{:?}", dataset.problems) };
    assert!(problem.path.contains(file), "{problem:?}");
}

const ESC50: &str = "filename,fold,target,category,esc10,src_file,take
1-1-A-0.wav,1,0,dog,True,1,A
2-2-A-36.wav,2,36,vacuum_cleaner,False,2,A
5-5-A-0.wav,5,0,dog,True,5,A
";

#[test]
fn esc50_has_folds_and_a_subset_of_ten() {
    let tree = Tree::new(&[("meta/esc50.csv", ESC50), ("audio/1-1-A-0.ogg", ""), ("audio/2-2-A-36.wav", "")]);
    let dataset = tree.recognised(Layout::Esc50);
    assert_eq!(clips(&dataset), named(&[("1-1-A-0.ogg", &["dog"]), ("2-2-A-36.wav", &["vacuum_cleaner"])]));
    assert_eq!(texts(&dataset), ["dog", "vacuum cleaner"]);
    assert_eq!(dataset.clips.iter().map(|c| c.fold).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_eq!((dataset.task, &dataset.split), (Task::SingleLabel, &None));
    only_problem(&dataset, "5-5-A-0.wav");
    let esc10 = tree.load(&LoadOptions { layout: Some(Layout::Esc10), ..LoadOptions::default() });
    assert_eq!((texts(&esc10), esc10.clips.len()), (vec!["dog"], 1));
}

#[test]
fn urbansound8k_finds_slices_in_the_folders_of_their_folds() {
    let table = "slice_file_name,fsID,start,end,salience,fold,classID,class
100032-3-0-0.wav,100032,0.0,0.31,1,5,3,dog_bark
gone-2-0-50.wav,1,60.5,64.5,1,10,2,children_playing
";
    let tree = Tree::new(&[("metadata/UrbanSound8K.csv", table), ("audio/fold5/100032-3-0-0.wav", "")]);
    let dataset = tree.recognised(Layout::UrbanSound8k);
    assert_eq!(clips(&dataset), named(&[("100032-3-0-0.wav", &["dog_bark"])]));
    assert_eq!(dataset.clips[0].fold, Some(5));
    assert_eq!(texts(&dataset), ["children playing", "dog bark"]);
    only_problem(&dataset, "gone-2-0-50.wav");
}

#[test]
fn gtzan_is_a_folder_a_genre() {
    let tree = Tree::new(&[
        ("genres_original/jazz/jazz.00054.wav", ""),
        ("genres_original/hiphop/hiphop.00000.wav", ""),
        ("features_30_sec.csv", "filename,label\njazz.00054.wav,jazz\n"),
    ]);
    let dataset = tree.recognised(Layout::Gtzan);
    assert_eq!(texts(&dataset), ["hip hop", "jazz"]);
    assert_eq!(clips(&dataset), named(&[("hiphop.00000.wav", &["hiphop"]), ("jazz.00054.wav", &["jazz"])]));
}

#[test]
fn vocalsound_takes_its_splits_from_its_data_files() {
    let te = r#"{"data": [{"wav": "/other/audio_16k/f0003_0_throatclearing.wav", "labels": "/m/0dl9sf8"},
        {"wav": "/other/audio_16k/m0004_0_cough.wav", "labels": "/m/01b_21"}]}"#;
    let tr = r#"{"data": [{"wav": "C:\\data\\f0009_0_sneeze.wav", "labels": "/m/01hsr_"}]}"#;
    let tree = Tree::new(&[
        ("audio_16k/f0003_0_throatclearing.wav", ""),
        ("audio_16k/f0009_0_sneeze.wav", ""),
        ("datafiles/te.json", te),
        ("datafiles/tr.json", tr),
    ]);
    let dataset = tree.recognised(Layout::VocalSound);
    assert_eq!(dataset.split.as_deref(), Some("test"));
    assert_eq!(clips(&dataset), named(&[("f0003_0_throatclearing.wav", &["throatclearing"])]));
    assert!(texts(&dataset).contains(&"throat clearing"));
    only_problem(&dataset, "m0004_0_cough.wav");
    assert_eq!(clips(&tree.split("train")), named(&[("f0009_0_sneeze.wav", &["sneeze"])]));
}

#[test]
fn speech_commands_are_split_by_lists_and_noise_is_no_word() {
    let tree = Tree::new(&[
        ("yes/a_nohash_0.wav", ""),
        ("yes/b_nohash_0.wav", ""),
        ("no/c_nohash_0.wav", ""),
        ("_background_noise_/pink_noise.wav", ""),
        ("testing_list.txt", "yes/a_nohash_0.wav\nno/gone_nohash_0.wav\n"),
        ("validation_list.txt", "no/c_nohash_0.wav\n"),
    ]);
    let dataset = tree.recognised(Layout::SpeechCommands);
    assert_eq!(clips(&dataset), named(&[("a_nohash_0.wav", &["yes"])]));
    assert_eq!(texts(&dataset), ["no", "yes"]);
    only_problem(&dataset, "gone_nohash_0.wav");
    assert_eq!(clips(&tree.split("train")), named(&[("b_nohash_0.wav", &["yes"])]));
    assert_eq!(tree.split("all").clips.len(), 3);
    let options = LoadOptions { split: Some("eval".to_owned()), ..LoadOptions::default() };
    let error = load(tree.path(), &options).unwrap_err().to_string();
    assert!(error.contains("all, test, train, validation") && error.contains("got eval"), "{error}");
}

const SEGMENTS: &str = "# Segments csv created Sun Mar  5 10:54:31 2017
# num_ytids=4, num_segs=4, num_unique_labels=2, num_positive_labels=5
# YTID, start_seconds, end_seconds, positive_labels
--4gqARaEJE, 0.000, 10.000, \"/m/09x0r,/m/0bt9lr\"
--BfvyPmVMo, 20.000, 30.000, \"/m/0bt9lr\"
-0gone00000, 30.000, 40.000, \"/m/09x0r\"
-0odd000000, 30.000, 40.000, \"/m/nothing\"
";

#[test]
fn audioset_finds_clips_by_their_youtube_id_however_they_are_named() {
    let classes = "index,mid,display_name\n0,/m/09x0r,\"Speech\"\n72,/m/0bt9lr,\"Dog\"\n";
    let files = [
        ("eval_segments.csv", SEGMENTS),
        ("class_labels_indices.csv", classes),
        ("audio/Y--4gqARaEJE.wav", ""),
        ("audio/--BfvyPmVMo_20.000.flac", ""),
    ];
    let tree = Tree::new(&files);
    let dataset = tree.recognised(Layout::AudioSet);
    assert_eq!((dataset.task, dataset.split.as_deref()), (Task::MultiLabel, Some("eval")));
    assert_eq!(
        clips(&dataset),
        named(&[("Y--4gqARaEJE.wav", &["Speech", "Dog"]), ("--BfvyPmVMo_20.000.flac", &["Dog"])])
    );
    let problems: Vec<&str> = dataset.problems.iter().map(|p| p.path.as_str()).collect();
    assert!(problems[0] == "-0gone00000" && problems[1].contains("line 7"), "{problems:?}");
    // The ontology names the same classes.
    fs::remove_file(tree.path().join("class_labels_indices.csv")).unwrap();
    let ontology =
        r#"[{"id": "/m/0bt9lr", "name": "Dog", "child_ids": []}, {"id": "/m/09x0r", "name": "Speech"}]"#;
    tree.write("ontology.json", ontology);
    assert_eq!(clips(&tree.recognised(Layout::AudioSet))[1].1, ["Dog"]);
}

#[test]
fn fsd50k_has_a_vocabulary_and_several_labels_a_clip() {
    let tree = Tree::new(&[
        (
            "FSD50K.ground_truth/vocabulary.csv",
            "0,Bark,/m/05tny_\n1,Domestic_sounds_and_home_sounds,/t/dd00071\n2,Rain,/m/06mb1\n",
        ),
        (
            "FSD50K.ground_truth/eval.csv",
            "fname,labels,mids\n37199,\"Domestic_sounds_and_home_sounds,Bark\",\"a,b\"\n1,Rain,c\n",
        ),
        ("FSD50K.ground_truth/dev.csv", "fname,labels,mids,split\n64760,Rain,c,train\n16399,Bark,a,val\n"),
        ("FSD50K.eval_audio/37199.wav", ""),
        ("FSD50K.dev_audio/64760.wav", ""),
        ("FSD50K.dev_audio/16399.wav", ""),
    ]);
    let dataset = tree.recognised(Layout::Fsd50k);
    assert_eq!(clips(&dataset), named(&[("37199.wav", &["Bark", "Domestic_sounds_and_home_sounds"])]));
    assert_eq!(texts(&dataset), ["bark", "domestic sounds and home sounds", "rain"]);
    only_problem(&dataset, "1");
    assert_eq!(clips(&tree.split("val")), named(&[("16399.wav", &["Bark"])]));
    assert_eq!(tree.split("all").clips.len(), 3);
}

#[test]
fn audiocaps_gathers_the_captions_of_a_clip() {
    let table = "audiocap_id,youtube_id,start_time,caption
103549,7fmOlUlwoNg,0,\"Constant rattling noise, and sharp vibrations\"
103548,6BJ455B1aAs,0,A rocket flies by
103541,7fmOlUlwoNg,0,An engine rattles
1,gone0000000,30,Rain
";
    let tree = Tree::new(&[
        ("dataset/test.csv", table),
        ("dataset/train.csv", "audiocap_id,youtube_id,start_time,caption\n"),
        ("audio/7fmOlUlwoNg_0.wav", ""),
        ("audio/103548.wav", ""),
    ]);
    let dataset = tree.recognised(Layout::AudioCaps);
    let rattle: &[&str] = &["Constant rattling noise, and sharp vibrations", "An engine rattles"];
    assert_eq!(
        clips(&dataset),
        named(&[("7fmOlUlwoNg_0.wav", rattle), ("103548.wav", &["A rocket flies by"])])
    );
    only_problem(&dataset, "gone0000000_30");
}

#[test]
fn clotho_keeps_names_of_different_splits_apart() {
    let head = "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\n";
    let tree = Tree::new(&[
        ("clotho_captions_evaluation.csv", &format!("{head}Birds.wav,a,b,c,d,e\nGone.wav,a,b,c,d,e\n")),
        ("clotho_captions_development.csv", &format!("{head}Birds.wav,f,g,h,i,j\n")),
        ("development/Birds.wav", ""),
        ("evaluation/Birds.wav", ""),
    ]);
    let dataset = tree.recognised(Layout::Clotho);
    assert_eq!(clips(&dataset), named(&[("Birds.wav", &["a", "b", "c", "d", "e"])]));
    assert!(dataset.clips[0].path.ends_with("evaluation/Birds.wav"));
    only_problem(&dataset, "Gone.wav");
    assert!(tree.split("development").clips[0].path.ends_with("development/Birds.wav"));
}

#[test]
fn a_folder_is_a_class_and_sounds_in_none_are_named() {
    let tree =
        Tree::new(&[("DogBark/1.wav", ""), ("DogBark/more/2.wav", ""), ("rain/3.wav", ""), ("4.wav", "")]);
    let dataset = tree.recognised(Layout::Folders);
    assert_eq!(
        clips(&dataset),
        named(&[("1.wav", &["DogBark"]), ("2.wav", &["DogBark"]), ("3.wav", &["rain"])])
    );
    assert_eq!(texts(&dataset), ["dog bark", "rain"]);
    only_problem(&dataset, "4.wav");
}

#[cfg(unix)]
#[test]
fn a_sound_linked_into_other_folders_loses_no_class() {
    use std::os::unix::fs::symlink;
    let tree =
        Tree::new(&[("dog/1.wav", ""), ("cat/2.wav", ""), ("animal/keep.txt", ""), ("bird/keep.txt", "")]);
    // The walk meets the link first: `animal` is before `dog`.
    symlink(tree.path().join("dog/1.wav"), tree.path().join("animal/x.wav")).unwrap();
    symlink(tree.path().join("dog/1.wav"), tree.path().join("dog/again.wav")).unwrap();
    let dataset = tree.recognised(Layout::Folders);
    assert_eq!(clips(&dataset), named(&[("x.wav", &["animal"]), ("2.wav", &["cat"]), ("1.wav", &["dog"])]));
    let notes: Vec<(bool, &str)> =
        dataset.problems.iter().map(|p| (p.is_clip, p.path.rsplit('/').next().unwrap())).collect();
    assert_eq!(notes, [(false, "1.wav"), (false, "again.wav"), (false, "bird")], "{:?}", dataset.problems);
    // By name, too, a file is found behind a link that is not the first way to it.
    symlink("dog", tree.path().join("wolf")).unwrap();
    assert_eq!(tree.load(&LoadOptions::default()).classes.len(), 4);
}

#[cfg(target_os = "linux")]
#[test]
fn a_class_whose_folder_has_no_readable_name_is_missing() {
    use std::os::unix::ffi::OsStrExt as _;
    let tree = Tree::new(&[("dog/1.wav", ""), ("cat/2.wav", "")]);
    let folder = tree.path().join(std::ffi::OsStr::from_bytes(b"b\xfcro"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("3.wav"), "").unwrap();
    let dataset = tree.recognised(Layout::Folders);
    only_problem(&dataset, "3.wav");
    assert!(dataset.problems[0].is_clip);
}

#[test]
fn tables_say_labels_captions_or_events() {
    let tree = Tree::new(&[("a.wav", ""), ("sub/b.wav", "")]);
    let table = |text: &str, options: &LoadOptions| {
        tree.write("t.csv", text);
        load(&tree.path().join("t.csv"), options)
    };
    let plain = LoadOptions::default();

    let single =
        table("File,Label,fold\n./sub/../a.wav,dog,1\nsub/b.wav,rain,2\nc.wav,rain,1\n", &plain).unwrap();
    assert_eq!(
        single.clips[0].path,
        tree.path().canonicalize().unwrap().join("a.wav"),
        "as an index names it"
    );
    assert_eq!(clips(&single), named(&[("a.wav", &["dog"]), ("b.wav", &["rain"])]));
    assert_eq!((single.task, single.clips[1].fold), (Task::SingleLabel, Some(2)));
    only_problem(&single, "c.wav");

    let multi = table("file\tlabels\na.wav\train; dog\nsub/b.wav\t\n", &plain).unwrap();
    assert_eq!(clips(&multi), named(&[("a.wav", &["dog", "rain"]), ("b.wav", &[])]));
    assert_eq!(multi.task, Task::MultiLabel);
    let twice = table("file,label\na.wav,rain\na.wav,dog\n", &plain).unwrap();
    assert_eq!((twice.task, clips(&twice)), (Task::MultiLabel, named(&[("a.wav", &["dog", "rain"])])));

    let both = "file,caption,labels,split\na.wav,a dog barks,dog;bark,one\nsub/b.wav,,rain,two\n";
    let captions = table(both, &plain).unwrap();
    assert_eq!(clips(&captions), named(&[("a.wav", &["a dog barks"])]));
    only_problem(&captions, "b.wav");
    let options = LoadOptions {
        task: Some(Task::SingleLabel),
        split: Some("one".to_owned()),
        ..LoadOptions::default()
    };
    assert_eq!(clips(&table(both, &options).unwrap()), named(&[("a.wav", &["dog"])]));

    let events = "file,onset,offset,label\na.wav,0.5,1,dog\nsub/b.wav,,,\na.wav,2,3,rain\na.wav,3,2,rain\na.wav,9,8,rain\n";
    let events = table(events, &plain).unwrap();
    // Half of its truth would count what is rightly found as false alarms.
    assert_eq!(clips(&events), named(&[("b.wav", &[])]));
    only_problem(&events, "a.wav");
    assert!(events.problems[0].reason.contains("line 5"), "{:?}", events.problems);

    let unclosed = table("file,label\n\"a.wav,dog\nb.wav,rain\n", &plain).unwrap_err().to_string();
    assert!(unclosed.contains("line 2") && unclosed.contains("quote"), "{unclosed}");

    let elsewhere = "filename\tonset\toffset\tevent_label\nb.wav\t0\t1\tdog\n";
    let options = LoadOptions { audio: Some(tree.path().join("sub")), ..LoadOptions::default() };
    assert_eq!(clips(&table(elsewhere, &options).unwrap()), named(&[("b.wav", &["dog 0-1"])]));

    let error = table("name,label\na.wav,dog\n", &plain).unwrap_err().to_string();
    assert!(error.contains("`file`") && error.contains("name, label"), "{error}");
}

#[test]
fn repeated_rows_change_nothing_and_contradicting_ones_are_named() {
    let tree = Tree::new(&[("a.wav", ""), ("b.wav", "")]);
    let table = |text: &str, options: &LoadOptions| {
        tree.write("t.csv", text);
        load(&tree.path().join("t.csv"), options).unwrap()
    };
    let plain = LoadOptions::default();
    let repeated = table("file,label\na.wav,dog\nb.wav,cat\n./a.wav,dog\n", &plain);
    assert_eq!((repeated.task, repeated.problems.len()), (Task::SingleLabel, 0));
    assert_eq!(clips(&repeated), named(&[("a.wav", &["dog"]), ("b.wav", &["cat"])]));

    let contradicting = "file,label\na.wav,dog\nb.wav,cat\n./a.wav,cat\n";
    let several = table(contradicting, &plain);
    assert_eq!(several.task, Task::MultiLabel);
    only_problem(&several, "t.csv");
    let problem = &several.problems[0];
    assert!(
        !problem.is_clip && problem.reason.contains("1 of 2 files, the first: a.wav (dog, cat)"),
        "{problem:?}"
    );
    let single = table(contradicting, &LoadOptions { task: Some(Task::SingleLabel), ..plain });
    assert_eq!(clips(&single), named(&[("a.wav", &["dog"]), ("b.wav", &["cat"])]));
    only_problem(&single, "a.wav");
    assert!(single.problems[0].reason.contains("dog, cat"));
}

#[test]
fn classes_that_cannot_be_asked_for_are_named_before_a_model_is_loaded() {
    let tree = Tree::new(&[("a.wav", ""), ("b.wav", ""), ("names.txt", "_\tsilence\n")]);
    let table = |text: &str, options: &LoadOptions| {
        tree.write("t.csv", text);
        load(&tree.path().join("t.csv"), options)
    };
    let plain = LoadOptions::default();
    let refused = |text: &str| table(text, &plain).unwrap_err().to_string();
    let case = refused("file,label\na.wav,dog\nb.wav,Dog\n");
    assert!(case.contains("t.csv: the classes `Dog` and `dog` differ in case only"), "{case}");
    let empty = "file,label\na.wav,dog\nb.wav,_\n";
    assert!(refused(empty).contains("the class `_` has no words"));
    let named = LoadOptions { names: Some(tree.path().join("names.txt")), ..LoadOptions::default() };
    assert!(texts(&table(empty, &named).unwrap()).contains(&"silence"));
    let silent = refused("file,onset,offset,label\na.wav,,,\nb.wav,,,\n");
    assert!(silent.contains("no label or event is named"), "{silent}");
    let folds = table("file,label,fold\na.wav,dog,x\nb.wav,cat,2\n", &plain).unwrap();
    only_problem(&folds, "line 2");
    assert_eq!(folds.clips.iter().map(|clip| clip.fold).collect::<Vec<_>>(), [None, Some(2)]);
}

#[test]
fn a_mapping_names_sounds_by_pattern_and_captions_may_lie_beside_them() {
    let tree = Tree::new(&[
        ("samples/bd_808.flac", ""),
        ("samples/bd_ada.flac", ""),
        ("samples/sn_dub.flac", ""),
        ("samples/odd.flac", ""),
        ("names.csv", "file,label\nbd_808.flac,808\nbd_*,bass drum\nsn_*,snare drum\ntabla_*,tabla\n"),
        ("stamps/birds/crow.ogg", ""),
        ("stamps/birds/crow.txt", "A crow.\nde.utf8=Eine Kr\u{e4}he.\n"),
        ("stamps/birds/owl.ogg", ""),
        ("captions.csv", "file,caption\nbirds/*,\n"),
    ]);
    let mapped = |folder: &str, table: &str| {
        let options = LoadOptions { mapping: Some(tree.path().join(table)), ..LoadOptions::default() };
        load(&tree.path().join(folder), &options).unwrap()
    };
    let samples = mapped("samples", "names.csv");
    let drums: [(&str, &[&str]); 3] =
        [("bd_808.flac", &["808"]), ("bd_ada.flac", &["bass drum"]), ("sn_dub.flac", &["snare drum"])];
    assert_eq!(clips(&samples), named(&drums));
    assert_eq!(texts(&samples), ["808", "bass drum", "snare drum", "tabla"]);
    let problems: Vec<&str> = samples.problems.iter().map(|p| p.reason.as_str()).collect();
    assert!(
        problems[0].starts_with("1 sounds match no row") && problems[1].contains("no such file"),
        "{problems:?}"
    );

    let stamps = mapped("stamps", "captions.csv");
    assert_eq!(clips(&stamps), named(&[("crow.ogg", &["A crow."])]));
    only_problem(&stamps, "stamps");
    let options = LoadOptions { layout: Some(Layout::TextFiles), ..LoadOptions::default() };
    assert_eq!(clips(&load(&tree.path().join("stamps"), &options).unwrap()), clips(&stamps));
}

#[test]
fn the_files_that_decide_what_is_asked_are_known() {
    let tree = Tree::new(&[("dog/1.wav", ""), ("cat/2.wav", ""), ("names.txt", "dog\ta dog barks\n")]);
    let options = LoadOptions { names: Some(tree.path().join("names.txt")), ..LoadOptions::default() };
    let names = tree.load(&options).names.unwrap();
    assert!(names.path.ends_with("names.txt"), "{names:?}");
    tree.write("names.txt", "dog\ta cat meows\n");
    assert_ne!(tree.load(&options).names.unwrap().hash, names.hash);
}

#[test]
fn what_is_no_dataset_is_told_what_would_be() {
    let tree = Tree::new(&[("a.wav", ""), ("one.csv", "file,label\n"), ("two.csv", "file,label\n")]);
    let error = load(tree.path(), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("no known layout") && error.contains("name the table itself"), "{error}");
    let empty = load(&tree.path().join("one.csv"), &LoadOptions::default()).unwrap_err().to_string();
    assert!(empty.contains("nothing to evaluate"), "{empty}");
    let gone = load(&PathBuf::from("/no/such/dataset"), &LoadOptions::default()).unwrap_err().to_string();
    assert!(gone.contains("/no/such/dataset"), "{gone}");
}

#[test]
fn clips_of_a_recording_are_told_by_a_column_or_by_their_names() {
    let groups = |tree: &Tree, by: &str| {
        let options = LoadOptions { group_by: Some(by.parse().unwrap()), ..LoadOptions::default() };
        load(tree.path(), &options).map(|set| set.clips.iter().map(|clip| clip.group.unwrap()).collect())
    };
    let told = |tree: &Tree, by: &str| groups(tree, by).map(|g: Vec<u32>| g.len()).unwrap_err().to_string();

    let table = "file,label,Recording,fold\na1.wav,a,2,1\na2.wav,a,1,2\nb1.wav,b,2,1\n";
    let sounds = [("a1.wav", ""), ("a2.wav", ""), ("b1.wav", "")];
    let tree = Tree::new(&[&[("labels.csv", table)], &sounds[..]].concat());
    assert_eq!(groups(&tree, "recording").unwrap(), [1, 0, 1]);
    assert_eq!(groups(&tree, r"(\d)[.]wav").unwrap(), [0, 1, 0]);
    assert!(told(&tree, "take").contains("expected a header with a column `take`"));
    tree.write("labels.csv", &table.replace("a2.wav,a,1", "a2.wav,a,"));
    assert!(told(&tree, "recording").contains("a2.wav by the column `recording`"));

    let tree = Tree::new(&[("meta/esc50.csv", ESC50), ("audio/1-1-A-0.ogg", ""), ("audio/2-2-A-36.wav", "")]);
    assert_eq!(groups(&tree, "src_file").unwrap(), [0, 1]);

    let tree = Tree::new(&[("dog/9-a.wav", ""), ("dog/9-b.wav", ""), ("cat/9-c.wav", ""), ("cat/x.wav", "")]);
    assert_eq!(groups(&tree, "(dog|cat)/").unwrap(), [0, 0, 1, 1]);
    assert!(told(&tree, "src_file").contains("a pattern of file names for this layout"));
    assert!(told(&tree, r"^(\d)-").contains("x.wav by the pattern"));
    let options = LoadOptions { group_by: Some("(.)[.]wav".parse().unwrap()), ..LoadOptions::default() };
    assert_eq!(tree.load(&options).group_by.as_deref(), Some("pattern `(.)[.]wav`"));
    assert_eq!(tree.load(&LoadOptions::default()).clips[0].group, None);
}

"""Long work: progress, Ctrl-C, threads, the GIL."""

from __future__ import annotations

import os
import signal
import subprocess
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import earmark

from .conftest import PYTHON, noise, write_wav


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds that take a while: 60 of 40 s."""
    folder = tmp_path_factory.mktemp("many")
    for i in range(60):
        write_wav(folder / f"{i:02}.wav", noise(40.0, seed=i), 16_000)
    return folder


def test_an_index_is_made_filled_and_seen_at_once(sounds: Path, tmp_path: Path) -> None:
    library = earmark.Library(tmp_path / "index.earmark")
    before = earmark.Library(tmp_path / "index.earmark")
    # Without an index, sounds can be labelled all the same.
    siren = sounds / "alarms/siren-wail.mp3"
    assert library.classify(siren, labels=["siren", "dog"])[0].label == "siren"
    told: list[earmark.IndexProgress] = []
    report = library.index([sounds / "animals", siren], progress=told.append, tags="mine")
    clips = library.clips(filter=earmark.Filter(tags=["mine"]))
    assert report.added == clips.total == len(clips) > 1 and not report.interrupted
    assert told[0].done == 0 and told[0].files == report.files
    assert told[-1].done == told[-1].files and told[-1].bytes_done == told[-1].bytes > 0
    assert {progress.path for progress in told if progress.path} == {clip.path for clip in clips}
    assert library.search("a dog barks")[0].score > 0
    # A library that was opened before the index was made finds it too.
    assert before.clips().total == clips.total
    again = library.index([sounds / "animals", siren])
    assert (again.unchanged, again.added) == (report.added, 0)
    smaller = library.index(sounds / "animals", exclude=["*dog*"])
    assert smaller.excluded > 0 and library.clips().total == clips.total - smaller.excluded


def test_bad_files_are_in_the_report(tmp_path: Path) -> None:
    write_wav(tmp_path / "good.wav", noise(2.0), 16_000)
    (tmp_path / "bad.wav").write_text("no sound")
    library = earmark.Library(tmp_path / "index.earmark")
    told: list[earmark.IndexProgress] = []
    report = library.index(tmp_path, progress=told.append)
    (failure,) = report.failed
    assert failure.path.endswith("bad.wav") and failure.kind == "malformed" or failure.kind == "unsupported"
    assert told[-1].failed == 1 and any(progress.reason for progress in told)
    assert library.index(tmp_path).known_bad == 1


def test_pruning_is_careful(tmp_path: Path) -> None:
    for i in range(3):
        write_wav(tmp_path / f"{i}.wav", noise(2.0, seed=i), 16_000)
    library = earmark.Library(tmp_path / "index.earmark")
    library.index(tmp_path)
    (tmp_path / "0.wav").unlink()
    report = library.index(tmp_path, prune="careful")
    (refused,) = report.prune_refused
    assert (refused.kind, refused.gone, refused.clips, report.pruned) == ("many", 1, 3, 0)
    assert library.index(tmp_path, prune="all").pruned == 1
    assert library.clips().total == 2


def test_an_exception_in_the_callback_stops_and_is_raised(many: Path, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def once(progress: earmark.IndexProgress) -> None:
        if progress.done:
            raise Enough

    library = earmark.Library(tmp_path / "index.earmark")
    with pytest.raises(Enough):
        library.index(many, progress=once)
    assert 0 < library.clips().total < 60
    # Nothing is left locked, and the next run goes on from there.
    report = library.index(many)
    assert report.unchanged > 0 and report.unchanged + report.added == 60


def test_another_writer_is_unavailable(many: Path, sounds: Path, tmp_path: Path) -> None:
    first, second = (earmark.Library(tmp_path / "index.earmark") for _ in range(2))
    second.embed_text("open the model first")

    def meanwhile(progress: earmark.IndexProgress) -> None:
        if progress.done:
            second.index(sounds / "animals/dog-barking.wav")

    with pytest.raises(earmark.UnavailableError, match="writ") as refused:
        first.index(many, progress=meanwhile)
    assert refused.value.kind == "unavailable"
    assert second.index(sounds / "animals/dog-barking.wav").added == 1


def test_duplicates_tell_how_far_they_are(doubled: Path) -> None:
    library = earmark.Library(doubled)
    told: list[earmark.DuplicatesProgress] = []
    library.duplicates(progress=told.append)
    stages = list(dict.fromkeys(progress.stage for progress in told))
    assert stages == ["decoding", "searching", "comparing"]
    for stage in stages:
        last = [progress for progress in told if progress.stage == stage][-1]
        assert last.done == last.total > 0

    class Enough(Exception):
        pass

    def once(progress: earmark.DuplicatesProgress) -> None:
        raise Enough

    with pytest.raises(Enough):
        library.duplicates(progress=once)
    assert len(library.duplicates()) == 1


INDEX = """
    import sys, time, earmark
    library = earmark.Library(sys.argv[1])
    def tell(progress):
        if progress.done == 1 and progress.path:
            print("begun", flush=True)
    try:
        library.index(sys.argv[2], progress=tell if sys.argv[3] == "progress" else None)
    except KeyboardInterrupt:
        print("interrupted", library.clips().total, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal for one process")
@pytest.mark.parametrize("how", ["progress", "silently"])
def test_ctrl_c_keeps_what_is_done(many: Path, tmp_path: Path, how: str) -> None:
    command = [*PYTHON, "-c", textwrap.dedent(INDEX), str(tmp_path / "index.earmark"), str(many), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        if how == "progress":
            assert process.stdout.readline() == "begun\n"
        else:
            time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        word, clips = process.stdout.readline().split()
        took = time.monotonic() - sent
        assert process.wait(30) == 0
    assert word == "interrupted" and int(clips) < 60
    assert how == "silently" or int(clips) > 0
    assert took < 10, f"it took {took:.1f} s to stop"
    library = earmark.Library(tmp_path / "index.earmark")
    report = library.index(many)
    assert report.unchanged == int(clips) and report.unchanged + report.added == 60


CLASSIFY = """
    import sys, earmark
    library = earmark.Library("none.earmark")
    library.embed_text("rain")
    print("begun", flush=True)
    try:
        library.classify([sys.argv[1]] * 50, labels=["rain", "speech"])
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""

DUPLICATES = """
    import sys, earmark
    library = earmark.Library(sys.argv[1], threads=1)
    print("begun", flush=True)
    try:
        library.duplicates()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def interrupted(program: str, path: Path) -> None:
    """Runs a program, presses Ctrl-C when it has begun, and waits until it says that it was interrupted."""
    command = [*PYTHON, "-c", textwrap.dedent(program), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "begun\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - sent < 10
        assert process.wait(30) == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal for one process")
def test_ctrl_c_between_results(many: Path) -> None:
    interrupted(CLASSIFY, many)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal for one process")
def test_ctrl_c_while_files_are_compared(many: Path, tmp_path: Path) -> None:
    earmark.Library(tmp_path / "index.earmark").index(many)
    interrupted(DUPLICATES, tmp_path / "index.earmark")


def test_other_threads_run_meanwhile(library: earmark.Library, many: Path) -> None:
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.005):
            ticks.append(time.monotonic())

    library.embed_text("open the models first")
    library.embed_audio(noise(1.0), 16_000)
    works: dict[str, Callable[[], object]] = {
        "embed_audio": lambda: library.embed_audio(noise(120.0), 16_000),
        "classify": lambda: library.classify(many, labels=["rain", "speech"]),
        "events": lambda: library.events(many / "00.wav", labels=["rain", "speech"]),
    }
    for name, work in works.items():
        ticks.clear()
        done.clear()
        ticker = threading.Thread(target=tick)
        ticker.start()
        began = time.monotonic()
        work()
        took = time.monotonic() - began
        done.set()
        ticker.join()
        gaps = np.diff([began, *ticks])
        assert len(ticks) > 3, f"{name}: {len(ticks)} ticks in {took:.2f} s"
        assert gaps.max() < max(0.25, took / 2), f"{name}: nothing for {gaps.max():.2f} of {took:.2f} s"


def test_several_threads_share_a_library(library: earmark.Library, sounds: Path) -> None:
    queries = ["a dog barks", "rain", "a siren", "music", "speech"] * 6
    expected = {query: library.search(query) for query in set(queries)}
    file = sounds / "alarms/siren-wail.mp3"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(library.search, queries))
        tagged = list(pool.map(library.tag, [file] * 4))
    assert all(answer == expected[query] for query, answer in zip(queries, found, strict=True))
    assert all(answer == tagged[0] for answer in tagged)


def test_onnxruntime_itself_may_be_used_in_the_same_process(db: Path) -> None:
    program = """
        import sys, earmark
        library = earmark.Library(sys.argv[1])
        assert "onnxruntime" not in sys.modules
        first = library.embed_text("rain")
        import onnxruntime
        assert onnxruntime.get_available_providers()
        assert (library.embed_text("a dog barks") != first).any()
    """
    subprocess.run([*PYTHON, "-c", textwrap.dedent(program), str(db)], check=True)


def test_the_library_of_the_installed_onnxruntime_is_loaded(library: earmark.Library) -> None:
    if not Path("/proc/self/maps").exists() or os.environ.get("ORT_DYLIB_PATH"):
        pytest.skip("there is nowhere to look")
    library.embed_text("rain")
    mapped = Path("/proc/self/maps").read_text().split()
    assert any("site-packages/onnxruntime/capi/libonnxruntime" in path for path in mapped)
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"

"""Uses the API through the package that openapi-python-client generates. `cargo xtask clients` runs this;
EARMARK_URL is where the server answers, EARMARK_SOUNDS the folder of the sample sounds."""

import os
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from earmark_client import Client
from earmark_client.api.clips import get_clip, get_clip_audio, get_clip_spectrogram, list_clips, upload_clip
from earmark_client.api.label import classify_clips, classify_files, find_events, find_events_in_file
from earmark_client.api.search import search_by_files, search_sounds
from earmark_client.models import (
    ClassifyAnswer,
    ClassifyForm,
    ClassifyRequest,
    Clip,
    ClipPage,
    EventsAnswer,
    EventsForm,
    EventsRequest,
    Problem,
    QueryPart,
    SearchAnswer,
    SearchForm,
    SearchRequest,
    UploadForm,
    UploadRequest,
)
from earmark_client.types import File

BARK = Path(os.environ["EARMARK_SOUNDS"]) / "animals/dog-barking.wav"
RAIN = Path(os.environ["EARMARK_SOUNDS"]) / "weather/rain.flac"

T = TypeVar("T")


def given(answer: object, expected: type[T]) -> T:
    """The answer, which must be of the expected type."""
    assert isinstance(answer, expected), f"expected {expected.__name__}, got {answer!r}"
    return answer


def sent(path: Path) -> File:
    """A file as a part of a multipart request."""
    return File(payload=BytesIO(path.read_bytes()), file_name=path.name)


def main() -> None:
    client = Client(base_url=os.environ["EARMARK_URL"])

    words = SearchRequest(query=[QueryPart(text="a dog barks")], k=3)
    found = given(search_sounds.sync(client=client, body=words), SearchAnswer)
    assert found.hits[0].clip.name == "dog-barking.wav", found
    assert found.next_cursor, "three hits are not all"

    example = SearchForm(
        request=SearchRequest(query=[QueryPart(file=BARK.name), QueryPart(text="rain", weight=-0.3)], k=1),
        files=[sent(BARK)],
    )
    found = given(search_by_files.sync(client=client, body=example), SearchAnswer)
    # The example itself is left out.
    assert found.hits[0].clip.name == "dog-in-rain.wav", found

    labels: list = ["dog", "rain"]
    bark = given(list_clips.sync(client=client, q=BARK.name), ClipPage).items[0]
    clips = ClassifyRequest(clip_ids=[bark.id], labels=labels)
    heard = given(classify_clips.sync(client=client, body=clips), ClassifyAnswer)
    assert heard.results[0].label == "dog", heard

    files = ClassifyForm(request=ClassifyRequest(labels=labels), files=[sent(BARK), sent(RAIN)])
    heard = given(classify_files.sync(client=client, body=files), ClassifyAnswer)
    assert [result.label for result in heard.results] == labels, heard

    stored = EventsRequest(clip_id=bark.id, labels=labels)
    heard_in_clip = given(find_events.sync(client=client, body=stored), EventsAnswer)
    assert heard_in_clip.events[0].label == "dog", heard_in_clip

    file = EventsForm(request=EventsRequest(labels=labels), file=sent(BARK))
    heard_in_file = given(find_events_in_file.sync(client=client, body=file), EventsAnswer)
    assert heard_in_file.events == heard_in_clip.events, heard_in_file

    new = UploadForm(request=UploadRequest(tags=["python"]), file=sent(BARK))
    clip = given(upload_clip.sync(client=client, body=new), Clip)
    assert clip.tags == ["python"], clip
    audio = given(get_clip_audio.sync(id=clip.id, client=client), File)
    assert audio.payload.read() == BARK.read_bytes(), "the file came back changed"
    picture = given(get_clip_spectrogram.sync(id=clip.id, client=client), File)
    assert picture.payload.read(4) == b"\x89PNG"

    problem = given(search_sounds.sync(client=client, body=SearchRequest(query=[])), Problem)
    assert (problem.type_, problem.status, problem.field) == ("urn:earmark:problem:bad-request", 400, "query")
    problem = given(get_clip.sync(id="999999", client=client), Problem)
    assert (problem.type_, problem.status) == ("urn:earmark:problem:not-found", 404), problem
    print("The Python client got what it asked for.")


if __name__ == "__main__":
    main()

// Uses the API through openapi-fetch, with the types that openapi-typescript generates. `cargo xtask clients` runs
// this; EARMARK_URL is where the server answers, EARMARK_SOUNDS the folder of the sample sounds.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Problem = components["schemas"]["Problem"];

const { EARMARK_URL: baseUrl = "", EARMARK_SOUNDS: sounds = "" } = process.env;
const client = createClient<paths>({ baseUrl });

/** The data of an answer that must be a success. */
function given<T>(answer: { data?: T; error?: unknown }): T {
  assert(answer.data !== undefined, `got ${JSON.stringify(answer.error)}`);
  return answer.data;
}

/** A body as multipart/form-data: files as they are, everything else as JSON. */
function bodySerializer(body: object): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(body)) {
    for (const part of Array.isArray(value) ? value : [value]) {
      const json = () => new Blob([JSON.stringify(part)], { type: "application/json" });
      form.append(name, part instanceof Blob ? part : json());
    }
  }
  return form;
}

async function sound(path: string): Promise<File> {
  return new File([new Uint8Array(await readFile(join(sounds, path)))], basename(path));
}

const [bark, rain] = [await sound("animals/dog-barking.wav"), await sound("weather/rain.flac")];
const labels = ["dog", "rain"];

const byWords = given(
  await client.POST("/v1/search", { body: { query: [{ text: "a dog barks" }], k: 3 } }),
);
assert.equal(byWords.hits[0]?.clip.name, bark.name);
assert(byWords.next_cursor, "three hits are not all");

const byFiles = given(
  await client.POST("/v1/search/files", {
    body: {
      request: { query: [{ file: bark.name }, { text: "rain", weight: -0.3 }], k: 1 },
      files: [bark],
    },
    bodySerializer,
  }),
);
// The example itself is left out.
assert.equal(byFiles.hits[0]?.clip.name, "dog-in-rain.wav");

const page = given(await client.GET("/v1/clips", { params: { query: { q: bark.name } } }));
const id = page.items[0]?.id ?? "";
const clips = given(await client.POST("/v1/classify", { body: { clip_ids: [id], labels } }));
assert.equal(clips.results[0]?.label, "dog");

const files = given(
  await client.POST("/v1/classify/files", {
    body: { request: { labels }, files: [bark, rain] },
    bodySerializer,
  }),
);
assert.deepEqual(
  files.results.map((result) => result.label),
  labels,
);

const inClip = given(await client.POST("/v1/events", { body: { clip_id: id, labels } }));
assert.equal(inClip.events[0]?.label, "dog");

const inFile = given(
  await client.POST("/v1/events/file", { body: { request: { labels }, file: bark }, bodySerializer }),
);
assert.deepEqual(inFile.events, inClip.events);

const clip = given(
  await client.POST("/v1/clips", {
    body: { request: { tags: ["typescript"] }, file: bark },
    bodySerializer,
  }),
);
assert.deepEqual(clip.tags, ["typescript"]);
const ofClip = { params: { path: { id: clip.id } } };
const audio: Blob = given(await client.GET("/v1/clips/{id}/audio", { ...ofClip, parseAs: "blob" }));
assert.deepEqual(await audio.arrayBuffer(), await bark.arrayBuffer());
const picture = await client.GET("/v1/clips/{id}/spectrogram.png", { ...ofClip, parseAs: "blob" });
assert.equal(given(picture).type, "image/png");

const refused = await client.POST("/v1/search", { body: { query: [] } });
const problem: Problem | undefined = refused.error;
assert.deepEqual(
  [problem?.type, problem?.status, problem?.field],
  ["urn:earmark:problem:bad-request", 400, "query"],
);
const missing = await client.GET("/v1/clips/{id}", { params: { path: { id: "999999" } } });
assert.equal(missing.error?.type, "urn:earmark:problem:not-found");
console.log("The TypeScript client got what it asked for.");

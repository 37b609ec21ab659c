-- Clips, vectors, failures, kept tags, batches and roots. Vectors are in a table of each space, made with it.

CREATE TABLE space (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    model_id text NOT NULL,
    manifest_hash text NOT NULL,
    pipeline_version bigint NOT NULL,
    dim int NOT NULL,
    created_unix_s bigint NOT NULL,
    is_current boolean NOT NULL
);
CREATE UNIQUE INDEX space_current ON space (is_current) WHERE is_current;

-- A folder that machines may mount at different places. Paths in it are kept from there on.
CREATE TABLE root (
    name text PRIMARY KEY,
    path text NOT NULL
);

CREATE TABLE clip (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space int NOT NULL REFERENCES space ON DELETE CASCADE,
    root text NOT NULL, -- '': the path is a whole one
    path text NOT NULL,
    content_hash bytea NOT NULL,
    mtime_ns bigint NOT NULL,
    size bigint NOT NULL,
    duration_s float8 NOT NULL,
    sample_rate bigint NOT NULL,
    channels int NOT NULL,
    format text NOT NULL,
    decoder text,
    tags text[] NOT NULL,
    indexed_unix_s bigint NOT NULL,
    segments bigint NOT NULL,
    texts jsonb NOT NULL,
    -- What can be searched; earmark makes the tokens.
    name_words tsvector NOT NULL,
    tag_words tsvector NOT NULL,
    text_words tsvector NOT NULL,
    folder_words tsvector NOT NULL,
    UNIQUE (space, root, path)
);
CREATE INDEX clip_content ON clip (space, content_hash);
CREATE INDEX clip_tags ON clip USING gin (tags);
CREATE INDEX clip_name_words ON clip USING gin (name_words);
CREATE INDEX clip_tag_words ON clip USING gin (tag_words);
CREATE INDEX clip_text_words ON clip USING gin (text_words);
CREATE INDEX clip_folder_words ON clip USING gin (folder_words);

-- What was measured of a space's HNSW graph when it was built.
CREATE TABLE graph (
    space int PRIMARY KEY REFERENCES space ON DELETE CASCADE,
    segments bigint NOT NULL,
    figures bytea NOT NULL
);

-- Saved label sets: their list, and what was made for them.
CREATE TABLE label_set_file (
    name text PRIMARY KEY,
    content bytea NOT NULL
);

CREATE TABLE failure (
    space int NOT NULL REFERENCES space ON DELETE CASCADE,
    root text NOT NULL,
    path text NOT NULL,
    size bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    reason text NOT NULL,
    kind text NOT NULL,
    seen_unix_s bigint NOT NULL,
    PRIMARY KEY (space, root, path)
);

-- Tags of removed clips, for when their sound is found again.
CREATE TABLE kept_tags (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space int NOT NULL REFERENCES space ON DELETE CASCADE,
    content_hash bytea NOT NULL,
    root text NOT NULL,
    path text NOT NULL,
    tags text[] NOT NULL,
    removed_unix_s bigint NOT NULL
);
CREATE INDEX kept_tags_content ON kept_tags (space, content_hash);

-- Batches that were committed: whoever loses the connection as one commits looks here.
CREATE TABLE batch (
    nonce bigint PRIMARY KEY,
    space int NOT NULL REFERENCES space ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX batch_at ON batch (at);

-- Files to be indexed. A worker that takes some has a lease on them, which it renews while it works.
CREATE TABLE work (
    space int NOT NULL REFERENCES space ON DELETE CASCADE,
    root text NOT NULL,
    path text NOT NULL,
    size bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    force boolean NOT NULL, -- embed it again, changed or not
    worker bigint,
    leased_until timestamptz,
    tries int NOT NULL DEFAULT 0,
    PRIMARY KEY (space, root, path)
);
CREATE INDEX work_free ON work (space, leased_until NULLS FIRST);

CREATE TABLE worker (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space int NOT NULL REFERENCES space ON DELETE CASCADE,
    host text NOT NULL,
    process bigint NOT NULL,
    started timestamptz NOT NULL DEFAULT now(),
    seen timestamptz NOT NULL DEFAULT now(),
    files bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    audio_s float8 NOT NULL DEFAULT 0
);

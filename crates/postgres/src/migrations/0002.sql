-- Jobs of servers. Each server writes its own ones; any of them may ask that one be cancelled.
CREATE TABLE job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space int NOT NULL REFERENCES space ON DELETE CASCADE,
    content jsonb NOT NULL,
    failures jsonb NOT NULL DEFAULT '[]',
    is_over boolean NOT NULL DEFAULT false,
    is_cancelled boolean NOT NULL DEFAULT false,
    seen timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX job_space ON job (space, id DESC);

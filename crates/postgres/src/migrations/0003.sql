-- Inverted lists beside the graph of a space.
ALTER TABLE graph ADD COLUMN method text NOT NULL DEFAULT 'hnsw';
ALTER TABLE graph ALTER COLUMN method DROP DEFAULT;
ALTER TABLE graph DROP CONSTRAINT graph_pkey, ADD PRIMARY KEY (space, method);

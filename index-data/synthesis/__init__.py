"""Sound recipes, one module a kind of source. Every recipe is `f(sr, rng) -> [n] or [n, 2] float64`."""

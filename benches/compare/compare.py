"""The same vectors and queries through hnswlib, usearch and faiss: recall beside latency, build time and memory.

    earmark export --db DB exported/
    EARMARK_BENCH_QUERIES=exported cargo xtask bench --bench search -- DB
    pip install -r benches/compare/requirements.txt
    python benches/compare/compare.py exported/

Searches are one at a time; `--threads` is for building, and for faiss's scans. Memory is what the process grew by.
"""

import argparse
import os
import time
from pathlib import Path

import faiss
import hnswlib
import numpy as np
from usearch.index import Index

K = 10
ROUNDS = 3


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def report(name: str, setting: str, search, queries, truth, build_s: float, mib: float) -> None:
    for kind, rows in queries.items():
        times, right = [], 0
        for round_number in range(ROUNDS):
            for query, expected in zip(rows, truth[kind]):
                started = time.perf_counter()
                found = search(query)
                times.append(time.perf_counter() - started)
                if round_number == 0:
                    right += len(set(map(int, found)) & set(map(int, expected)))
        p50, recall = np.median(times) * 1e3, right / (K * len(rows))
        print(f"| {name} | {setting} | {kind} | {p50:.2f} | {recall:.3f} | {build_s:.0f} | {mib:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="an export, with text.f32 and sound.f32 in it")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--skip", nargs="*", default=[], help="hnswlib, usearch, faiss")
    args = parser.parse_args()
    faiss.omp_set_num_threads(args.threads)
    vectors = np.load(args.folder / "vectors.npy")
    count, dim = vectors.shape
    queries = {
        kind: np.fromfile(args.folder / f"{kind}.f32", "<f4").reshape(-1, dim) for kind in ["text", "sound"]
    }
    truth = {kind: np.argsort(-(rows @ vectors.T), axis=1)[:, :K] for kind, rows in queries.items()}
    print(f"{count} vectors of {dim} elements, {args.threads} threads\n")
    print("| library | setting | queries | p50 ms | recall@10 | build s | MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")

    if "faiss" not in args.skip:
        for setting in ["Flat", "SQ8,RFlat", "SQ4,RFlat", "RR640,RaBitQ,RFlat"]:
            before, started = resident_mib(), time.perf_counter()
            try:
                index = faiss.index_factory(dim, setting, faiss.METRIC_INNER_PRODUCT)
                index.train(vectors[:20000])
                index.add(vectors)
            except RuntimeError as error:
                print(f"| faiss | {setting} | | | | {str(error).splitlines()[0]} | |")
                continue
            if hasattr(index, "k_factor"):
                index.k_factor = 20
            took, mib = time.perf_counter() - started, resident_mib() - before
            report("faiss", setting, lambda q: index.search(q[None], K)[1][0], queries, truth, took, mib)
            del index

    if "hnswlib" not in args.skip:
        before, started = resident_mib(), time.perf_counter()
        graph = hnswlib.Index("ip", dim)
        graph.init_index(count, M=16, ef_construction=100)
        graph.add_items(vectors, num_threads=args.threads)
        took, mib = time.perf_counter() - started, resident_mib() - before
        for ef in [64, 128, 512, 1024]:
            graph.set_ef(ef)
            report(
                "hnswlib", f"ef {ef}", lambda q: graph.knn_query(q, K, num_threads=1)[0][0], queries, truth, took, mib
            )
        del graph

    if "usearch" not in args.skip:
        for dtype in ["f32", "i8"]:
            before, started = resident_mib(), time.perf_counter()
            index = Index(ndim=dim, metric="ip", dtype=dtype, connectivity=16, expansion_add=100)
            index.add(np.arange(count), vectors, threads=args.threads)
            took, mib = time.perf_counter() - started, resident_mib() - before
            for ef in [64, 512]:
                index.expansion_search = ef
                report("usearch", f"{dtype}, ef {ef}", lambda q: index.search(q, K).keys, queries, truth, took, mib)
            del index


if __name__ == "__main__":
    main()

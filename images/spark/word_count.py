# pyright: reportMissingImports=false
"""Counts the words of a file on a volume: word_count.py [--sample] SOURCE TARGET.

The volume is where the driver is, and the workers may be on other nodes: the driver reads the lines and writes the
counts, the cluster counts. `--sample` writes a text where there is no file yet.
"""

import shutil
import sys
from operator import add
from pathlib import Path

from pyspark.sql import SparkSession

SAMPLE = "swarm of nodes\nnodes of a swarm\nto be or not to be\n" * 1000
PARTS = 2


def main() -> None:
    words = sys.argv[1:]
    source, target = (Path(word) for word in words if word != "--sample")
    if "--sample" in words and not source.exists():
        source.write_text(SAMPLE)
    spark = SparkSession.builder.appName("WordCount").getOrCreate()
    lines = spark.sparkContext.parallelize(source.read_text().splitlines(), 2 * PARTS)
    counts = lines.flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(add, PARTS)
    parts = counts.glom().collect()
    write(parts, target)
    total = sum(count for part in parts for _, count in part)
    print(f"{total} words, {sum(map(len, parts))} different, in {target}")  # noqa: T201
    spark.stop()


def write(parts: list[list[tuple[str, int]]], target: Path) -> None:
    """As Spark does, a file for each part and `_SUCCESS` at the end; what an earlier run wrote is replaced whole."""
    draft = target.with_name(f"{target.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for number, part in enumerate(parts):
        (draft / f"part-{number:05}").write_text("".join(f"({word!r}, {count})\n" for word, count in sorted(part)))
    (draft / "_SUCCESS").touch()
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)


if __name__ == "__main__":
    main()

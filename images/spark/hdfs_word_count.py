# pyright: reportMissingImports=false
"""Counts the words of files in HDFS: hdfs_word_count.py [--sample] SOURCE TARGET.

Unlike files on a volume, everybody sees these: executors read and write them, and TARGET is a folder with a part from
each. What an earlier run wrote there is replaced. `--sample` writes a text where there is no SOURCE yet.
"""

import sys
from operator import add

from pyspark.sql import SparkSession

LINES = 1000
PARTS = 2


def main() -> None:
    words = sys.argv[1:]
    source, target = (word for word in words if word != "--sample")
    spark = SparkSession.builder.appName("HdfsWordCount").getOrCreate()
    if "--sample" in words:
        sample = spark.range(LINES, numPartitions=PARTS).selectExpr("'to be or not to be' AS line")
        sample.write.mode("ignore").text(source)
    found = spark.sparkContext.textFile(source, PARTS).flatMap(str.split)
    counts = found.map(lambda word: (word, 1)).reduceByKey(add, PARTS).cache()
    lines = spark.createDataFrame(counts.map(lambda pair: (str(pair),)), "line string")
    lines.write.mode("overwrite").text(target)
    print(f"{counts.values().sum()} words, {counts.count()} different, in {target}")  # noqa: T201
    spark.stop()


if __name__ == "__main__":
    main()

# pyright: reportMissingImports=false
"""Counts the words of files in HDFS with Spark: hdfs_word_count.py SOURCE TARGET. Unlike a local file, everybody sees
both: executors read and write them, and TARGET is a folder with a part from each."""

import sys
from operator import add

from pyspark.sql import SparkSession

PARTS = 2


def main() -> None:
    source, target = sys.argv[1:]
    spark = SparkSession.builder.appName("HdfsWordCount").getOrCreate()
    words = spark.sparkContext.textFile(source, PARTS).flatMap(str.split)
    counts = words.map(lambda word: (word, 1)).reduceByKey(add, PARTS).cache()
    counts.saveAsTextFile(target)
    print(f"{counts.values().sum()} words, {counts.count()} different, in {target}")  # noqa: T201
    spark.stop()


if __name__ == "__main__":
    main()

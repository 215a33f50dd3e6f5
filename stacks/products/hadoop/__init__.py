"""HDFS and YARN."""

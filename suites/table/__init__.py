"""Score tables: Parquet and CSV, long or wide, one row per response or one per run."""

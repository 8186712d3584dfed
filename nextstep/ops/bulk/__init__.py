"""
The bulk path: whole logs through Ray, range by range, into a shadow of the tables.

export: log ranges to Parquet → compute: clean, extract and vectors of every post, on Ray →
load: COPY into the shadow, dedupe and trends by the ordinary line, swap. A ledger in the database
says how far each range is; a file is only believed with the sha256 that stands there.
"""

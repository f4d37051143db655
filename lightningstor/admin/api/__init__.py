"""The admin API: `table` says what there is, the rest is made from it."""

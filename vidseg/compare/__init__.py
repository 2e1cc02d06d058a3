"""Compares finished runs: a table, a CSV and a page. Reads run folders; knows nothing about how runs are made."""

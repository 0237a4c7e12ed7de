"""Rows of CSV and JSON lines to items: what the file and kafka sources share."""

"""Detection: values in, values out. Imports nothing of ours, does no I/O, reads no clock."""

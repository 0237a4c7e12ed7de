"""The live page: reads topics through the log, never the worker's memory."""

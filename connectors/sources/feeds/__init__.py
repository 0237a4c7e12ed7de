"""RSS and Atom: the parser apart from the source, so that it can be fuzzed."""

"""`siaga demo`: the whole service on this machine, fed by a scenario or a person's own file."""

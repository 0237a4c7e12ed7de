"""What any setting would have done, over history, before it pages anyone."""

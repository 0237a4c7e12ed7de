"""`mastodon` (polls, needs no key) and `mastodon-stream` (streams and fills its gaps by polls)."""

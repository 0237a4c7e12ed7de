"""`bluesky`: all public posts of the network, by Jetstream."""

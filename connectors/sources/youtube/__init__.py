"""`youtube`: comments of channels and videos, and videos by search, within a daily budget."""
